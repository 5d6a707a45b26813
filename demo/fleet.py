"""The simulated group: two hospitals, each with a PACS archive, a modality and a workstation.

A third one has the same and stands outside the group: whoever tries Steward out can let it join.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from demo.archive import Address, Archive
from demo.images import make_study
from demo.modality import Modality
from demo.node import Node


@dataclass(frozen=True)
class Hospital:
    """One site with its nodes; `site_id` is a slug, `time_zone` an IANA name, `coordinates` degrees of WGS 84."""

    site_id: str
    name: str
    time_zone: str
    coordinates: tuple[float, float]
    archive: Archive
    modality: Modality
    workstation: Node

    @property
    def nodes(self) -> list[Node]:
        """Archive, modality and workstation, in this order."""
        return [self.archive, self.modality, self.workstation]


class Fleet:
    """All three hospitals. The archives keep their images below the folder, so a second start finds the first one's.

    ``destinations`` are those whom every archive knows by AE title, to send to and to report to.
    """

    def __init__(self, folder: Path, destinations: Mapping[str, Address] | None = None) -> None:
        known = dict(destinations or {})
        self.hospitals = [
            _hospital("north", "Northfield General Hospital", "Europe/Berlin", (54.7833, 9.4333), folder, known),
            _hospital("south", "Southmoor Children's Hospital", "Europe/London", (50.9097, -1.4044), folder, known),
        ]
        self.newcomer = _hospital("east", "Eastbrook Clinic", "Europe/Lisbon", (38.7223, -9.1393), folder, known)

    @property
    def nodes(self) -> list[Node]:
        """All nodes of the group and of the newcomer."""
        return [node for hospital in (*self.hospitals, self.newcomer) for node in hospital.nodes]

    def start(self) -> None:
        """Start every node and fill the archives that are empty with a first study; all or nothing."""
        try:
            for node in self.nodes:
                node.start()
            for hospital in (*self.hospitals, self.newcomer):
                if hospital.archive.is_empty:
                    hospital.modality.send(make_study(hospital.site_id, datetime.now(UTC)), hospital.archive)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every node."""
        for node in self.nodes:
            node.stop()


def _hospital(
    site_id: str,
    name: str,
    time_zone: str,
    coordinates: tuple[float, float],
    folder: Path,
    known: Mapping[str, Address],
) -> Hospital:
    title = site_id.upper()
    return Hospital(
        site_id=site_id,
        name=name,
        time_zone=time_zone,
        coordinates=coordinates,
        archive=Archive(f"{site_id}-pacs", f"{title}_PACS", folder / site_id / "archive", known),
        modality=Modality(f"{site_id}-ct", f"{title}_CT"),
        workstation=Node(f"{site_id}-workstation", "workstation", f"{title}_WS"),
    )
