"""A witness as a process of its own, as a hospital runs it."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from services.compliance.checkpoints.note import SignerKey, VerifierKey
from tests.parts.process import Part, accepts_connections, free_port


class WitnessProcess(Part):
    """`steward witness` over the folder ``DIRECTORY/state``, on a port that it keeps."""

    name = "witness"

    def __init__(self, directory: Path, key: SignerKey, logs: Sequence[VerifierKey]) -> None:
        super().__init__(directory)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._key, self._logs = key, logs

    def command(self) -> Sequence[str]:
        """The command line, with the settings in the environment."""
        settings = {
            "STEWARD_WITNESS_KEY": self._key.reveal(),
            "STEWARD_WITNESS_LOGS": " ".join(map(str, self._logs)),
            "STEWARD_WITNESS_STATE": str(self.directory / "state"),
            "STEWARD_HTTP_PORT": str(self.port),
        }
        environment = [f"{name}={value}" for name, value in settings.items()]
        kept = [f"{name}={os.environ[name]}" for name in ("PATH", "PYTHONPATH") if name in os.environ]
        return ["env", "-i", *kept, *environment, sys.executable, "-m", "services", "witness"]

    def answers(self) -> bool:
        """Whether it listens."""
        return accepts_connections(self.port)
