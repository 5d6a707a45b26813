"""Net-SNMP's agent on a free port of loopback."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.parts.process import Part, find_program, free_port

COMMUNITY = "public-in-tests"
USER, AUTH_KEY, PRIV_KEY = "steward", "signs messages", "encrypts messages"


class Snmpd(Part):
    """An agent that tells of this machine to a community (2c) and to a user (3); ``objects`` tells it others.

    ``objects`` maps an OID to a type of snmpd.conf's `override` and a value, such as ``("integer", 2)``.
    """

    name = "snmpd"

    def __init__(self, directory: Path, objects: Mapping[str, tuple[str, object]] | None = None) -> None:
        super().__init__(directory)
        self.port = free_port()
        self._objects = dict(objects or {})

    def prepare(self) -> None:
        lines = [
            f"agentaddress udp:127.0.0.1:{self.port}",
            f"rocommunity {COMMUNITY}",
            f'createUser {USER} SHA-256 "{AUTH_KEY}" AES "{PRIV_KEY}"',
            f"rouser {USER} priv",
            *(f"override .{oid} {kind} {value}" for oid, (kind, value) in self._objects.items()),
        ]
        self._configuration.write_text("\n".join(lines) + "\n")

    def command(self) -> Sequence[str]:
        program = find_program("snmpd", package="snmpd")
        return [
            *("env", f"SNMP_PERSISTENT_DIR={self.directory}", program, "-f", "-C", "-c", str(self._configuration)),
            *("-Lo", "-p", str(self.directory / "pid"), "-I", "-smux"),
        ]

    def answers(self) -> bool:
        return "NET-SNMP version" in self.log.read_text(errors="replace")

    @property
    def _configuration(self) -> Path:
        return self.directory / "snmpd.conf"
