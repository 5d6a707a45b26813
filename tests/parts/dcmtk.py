"""DCMTK's archive ``dcmqrscp`` and its receiver ``storescp``, on loopback."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.parts.certificates import Certificate
from tests.parts.process import Part, accepts_connections, find_program, free_port

CONFIGURATION = """
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
{hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{areas}
AETable END
"""


class Dcmqrscp(Part):
    """A query/retrieve archive that answers as ``ae_title`` and keeps its images in ``storage``.

    ``peers`` (name → AE title, host, port) are those it may send to by C-MOVE. It also answers to ``more_titles``, and
    keeps what comes to each in a folder of its own: two of its processes that store in the same folder within a second
    may choose the same file name, and one image is refused with 0xC000 or lost.
    """

    name = "dcmqrscp"

    def __init__(
        self,
        directory: Path,
        ae_title: str = "DCMQRSCP",
        peers: Mapping[str, tuple[str, str, int]] | None = None,
        more_titles: Sequence[str] = (),
    ) -> None:
        super().__init__(directory)
        self.ae_title = ae_title
        self.more_titles = tuple(more_titles)
        self.peers = dict(peers or {})
        self.port = free_port()
        self.storage = directory / "storage"

    def prepare(self) -> None:
        folders = {self.ae_title: self.storage} | {title: self.directory / title for title in self.more_titles}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        hosts = "\n".join(f"{name} = ({aet}, {host}, {port})" for name, (aet, host, port) in self.peers.items())
        areas = "\n".join(f"{title} {folder} RW (500, 1024mb) ANY" for title, folder in folders.items())
        configuration = CONFIGURATION.format(port=self.port, hosts=hosts, areas=areas)
        self._configuration.write_text(configuration)

    def command(self) -> Sequence[str]:
        return [find_program("dcmqrscp", package="dcmtk"), "--config", str(self._configuration)]

    def answers(self) -> bool:
        return accepts_connections(self.port)

    @property
    def _configuration(self) -> Path:
        return self.directory / "dcmqrscp.cfg"


class Storescp(Part):
    """A receiver of images, each a file in ``storage``; the target of a C-MOVE or a modality's C-STORE.

    With a certificate it speaks TLS, and wants one of the same authority.
    """

    name = "storescp"

    def __init__(self, directory: Path, ae_title: str = "STORESCP", certificate: Certificate | None = None) -> None:
        super().__init__(directory)
        self._certificate = certificate
        self.ae_title = ae_title
        self.port = free_port()
        self.storage = directory / "received"

    def prepare(self) -> None:
        self.storage.mkdir(exist_ok=True)

    def command(self) -> Sequence[str]:
        program = find_program("storescp", package="dcmtk")
        tls = tls_options(self._certificate) if self._certificate else []
        return [program, *tls, "--aetitle", self.ae_title, "--output-directory", str(self.storage), str(self.port)]

    def answers(self) -> bool:
        return accepts_connections(self.port)


def tls_options(certificate: Certificate) -> list[str]:
    """What DCMTK's programs need to speak TLS, both sides with a certificate of one authority."""
    return ["+tls", str(certificate.key), str(certificate.chain), "+cf", str(certificate.ca), "+px"]
