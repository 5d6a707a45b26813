"""The folder of `steward up`: what it keeps from one run to the next, and who may read it."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from services.compliance.checkpoints.keys import generate_key_file
from services.compliance.checkpoints.note import SignerKey
from services.registry import OWNING_DATA
from services.up.files import write_private

LOG_ORIGIN = "steward.example/log"


@dataclass(frozen=True)
class Home:
    """Paths below one folder, and the secrets made at the first run."""

    folder: Path

    @property
    def up_file(self) -> Path:
        """Where the addresses and the token are told while the system runs."""
        return self.folder / "up.json"

    def make(self) -> None:
        """Creates the folders. Others may pass through the home, since PostgreSQL runs as a user of its own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("keys", "mailbox", "repositories", "backup", "fleet", "log"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)

    def secrets(self) -> dict[str, str]:
        """Passwords of the database roles and of the backups, and the key in the simulated group's address."""
        file = self.folder / "keys" / "secrets.json"
        if not file.exists():
            names = [*OWNING_DATA, "bus", "repositories", "demo"]
            write_private(file, json.dumps({name: secrets.token_urlsafe(24) for name in names}))
        found: dict[str, str] = json.loads(file.read_text())
        return found

    def log_key(self) -> str:
        """The private key that signs the audit log. The public one lies in ``log.pub``, for those who verify."""
        file = self.folder / "keys" / "log.key"
        if not file.exists():
            generate_key_file(file, LOG_ORIGIN)
        key = SignerKey.parse(file.read_text().strip())
        write_private(self.folder / "log.pub", f"{key.verifier}\n")
        return key.reveal()

    def ports(self) -> dict[str, int]:
        """The ports that the simulated nodes had before, by AE title."""
        file = self.folder / "fleet" / "ports.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def keep_ports(self, ports: dict[str, int]) -> None:
        """Remembers the nodes' ports, so that what was registered stays true."""
        write_private(self.folder / "fleet" / "ports.json", json.dumps(ports))
