"""What a scan would do, and what an answer means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal

from services.probes.dicom.domain import EchoResult
from shared.errors import Malformed

MOST_ADDRESSES = 4096
MOST_PORTS = 16

Speaks = Literal["verified", "wants other titles", "busy", "speaks no DICOM"]

SILENT = frozenset({"refused", "unreachable", "timeout_connect", "dns", "local"})
TITLES = frozenset({"rejected_ae_title", "rejected"})


@dataclass(frozen=True)
class Range:
    """Addresses and ports to ask: each address at each port, ``per_second`` of them."""

    network: IPv4Network | IPv6Network
    ports: Sequence[int]
    per_second: float

    @classmethod
    def parse(cls, text: str, ports: Sequence[int], per_second: float, *, public: bool = False) -> "Range":
        """Reads a range such as 10.1.2.0/24. Raises Malformed for one that is too large, or not a hospital's own."""
        try:
            network = ip_network(text)
        except ValueError as exc:
            raise Malformed("range", f"must be addresses in CIDR form: {exc}", "10.1.2.0/24") from exc
        if network.num_addresses > MOST_ADDRESSES:
            raise Malformed("range", f"must be at most {MOST_ADDRESSES} addresses", "10.1.2.0/24")
        if not (public or network.is_private or network.is_loopback or network.is_link_local):
            raise Malformed("range", "lies in the public Internet; say --public if it is yours", "10.1.2.0/24")
        if not ports or len(ports) > MOST_PORTS or not all(0 < port < 65536 for port in ports):
            raise Malformed("port", f"must be 1 to {MOST_PORTS} ports from 1 to 65535", "104")
        return cls(network, tuple(dict.fromkeys(ports)), per_second)

    @property
    def addresses(self) -> Iterator[str]:
        """The addresses that a host may have."""
        return (str(address) for address in self.network.hosts())

    @property
    def count(self) -> int:
        """How many connections will be opened."""
        return sum(1 for _ in self.network.hosts()) * len(self.ports)

    @property
    def minutes(self) -> float:
        """How long that takes at least."""
        return self.count / self.per_second / 60


@dataclass(frozen=True)
class Answer:
    """An address and port that something listens at."""

    host: str
    port: int
    speaks: Speaks
    detail: str


def read_answer(host: str, port: int, seen: EchoResult) -> Answer | None:
    """What an echo tells of the address; None when nothing listens there."""
    if seen.failure in SILENT:
        return None
    if seen.outcome == "ok" or seen.dimse_status is not None:
        return Answer(host, port, "verified", seen.detail)
    if seen.failure in TITLES:
        return Answer(host, port, "wants other titles", seen.detail)
    if seen.failure in ("rejected_busy", "context_rejected", "aborted"):
        return Answer(host, port, "busy" if seen.failure == "rejected_busy" else "verified", seen.detail)
    return Answer(host, port, "speaks no DICOM", seen.detail)
