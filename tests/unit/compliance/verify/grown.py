"""A log as the appender makes it, in memory: its growths, its entries, and its parts by their names, signed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from services.compliance.checkpoints.checkpoint import Checkpoint
from services.compliance.checkpoints.cosignature import CosignatureKey, cosign
from services.compliance.checkpoints.note import Signature, SignerKey
from services.compliance.log.append import grow
from services.compliance.log.bundle import split_entries, unpack
from services.compliance.log.domain import Arrival, Growth, State
from services.compliance.log.index import read_told
from services.compliance.log.tiling import Tiling
from services.compliance.verify.seals import Trust
from services.compliance.verify.tiled import TiledReader
from shared.events import encode_unsequenced, with_sequence
from shared.events.alerts import AlertRaised
from shared.events.contract import EventData
from shared.events.envelope import read_envelope
from shared.events.inventory import SiteChanged

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
ORIGIN = "steward.example-hospitals.org/log"
KEY = SignerKey.from_seed(ORIGIN, b"log-key-" * 4)
WITNESS = SignerKey.from_seed("north.example-hospitals.org/witness", b"witness-" * 4, CosignatureKey)
OTHER = SignerKey.from_seed(ORIGIN, b"another-" * 4)
TRUST = Trust((KEY.verifier,), (WITNESS.verifier,), 1)  # type: ignore[arg-type]  # -- made of CosignatureKey above


def arrival(number: int, site_id: str) -> Arrival:
    """An event as it comes from the bus; every fifth one is an alert about a system."""
    data: EventData = SiteChanged(name=f"Hospital {number}", time_zone="Europe/Berlin", version=number + 1)
    if number % 5 == 0:
        data = AlertRaised(
            alert_id=f"alert-{number}",
            check="echo",
            asset_name="archive",
            severity="critical",
            summary="does not answer",
            since=BEGIN,
            system_id=f"system-{number % 7}",
        )
    return arrival_of(data, number, site_id)


def arrival_of(data: EventData, number: int, site_id: str) -> Arrival:
    """An event with that data."""
    body = encode_unsequenced(
        data,
        event_id=f"event-{number}",
        source="/services/inventory",
        subject=f"subject-{number % 11}",
        time=BEGIN + timedelta(hours=number % 60),
        site_id=site_id,
        actor="anna",
        correlation_id=f"flow-{number}",
        causation_id=None,
        traceparent=None,
    )
    raw = with_sequence(body, number + 1)
    envelope, _ = read_envelope(raw, topic=data.event_type, now=BEGIN + timedelta(days=30))
    return Arrival(raw, envelope, read_told(envelope.data))


@dataclass(frozen=True, slots=True)
class Grown:
    """A log of the appender. Its last entry is a manifest."""

    growths: Sequence[Growth]

    @property
    def state(self) -> State:
        """The log at its end."""
        return self.growths[-1].after

    @property
    def entries(self) -> list[bytes]:
        """All entries."""
        chunks = [chunk for growth in self.growths for chunk in growth.chunks]
        return [entry for chunk in chunks for entry in split_entries(unpack(chunk.body))] + list(self.state.tail)

    @property
    def manifests(self) -> list[int]:
        """The sizes that a manifest closes."""
        return [growth.manifest.size for growth in self.growths if growth.manifest is not None]


def grown(
    batches: int = 8, seed: int = 1, sites: Sequence[str] = ("north", "south", "west-2"), most: int = 60, every: int = 3
) -> Grown:
    """A log that grew in batches of 1 to ``most`` events; manifests close each ``every``th batch and the last."""
    random = Random(seed)
    state, growths = State(types={"probe.result": 0}), []
    for batch in range(batches):
        arrivals = [arrival(state.size + n, random.choice(sites)) for n in range(random.randint(1, most))]
        seal = f"manifest-{batch}" if batch % every == every - 1 or batch == batches - 1 else None
        growths.append(grow(state, arrivals, BEGIN + timedelta(minutes=batch), seal))
        state = growths[-1].after
    return Grown(growths)


def signed(size: int, root: bytes, *, key: SignerKey = KEY, cosigned: bool = True) -> bytes:
    """A checkpoint, cosigned by the witness."""
    text = str(Checkpoint(ORIGIN, size, root))
    lines = [str(Signature(key.verifier.name, key.verifier.key_id, key.sign(text.encode())))]
    lines += [str(cosign(WITNESS, text, 1_772_000_000))] if cosigned else []
    return f"{text}\n{''.join(lines)}".encode()


def files_of(entries: Iterable[bytes]) -> dict[str, bytes]:
    """The parts of a log with these entries, by their names, under a checkpoint over all of them."""
    tiling = Tiling()
    files = {resource.path: body for resource, body in tiling.extend(entries)}
    files |= {resource.path: body for resource, body in tiling.unfinished()}
    return files | {"checkpoint": signed(tiling.edge.size, tiling.edge.root)}


@dataclass
class Memory:
    """Parts by their names: a source whose parts may be tampered with."""

    files: dict[str, bytes]
    sealed: bool = True
    unchecked: Sequence[str] = field(default_factory=tuple)

    def open(self) -> TiledReader:
        """Begins to read."""
        return TiledReader(self, self, sealed=self.sealed)

    def read(self, name: str) -> bytes | None:
        """One part."""
        return self.files.get(name)

    def listed(self, folder: str) -> list[str]:
        """The names in a folder."""
        return [name.removeprefix(f"{folder}/") for name in self.files if name.startswith(f"{folder}/")]

    def names(self) -> list[str]:
        """All names of tiles and bundles."""
        return [name for name in self.files if name.startswith("tile/")]

    def close(self) -> None:
        """Nothing is held open."""
