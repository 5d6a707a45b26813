"""Orthanc, a real PACS archive, with its DICOM and REST ports on loopback."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.parts.process import Part, accepts_connections, find_program, free_port


class Orthanc(Part):
    """An archive that keeps its images in ``storage``, answers DICOM as ``ae_title`` and REST at ``url``.

    It stores from and answers to any AE; ``peers`` (name → AE title, host, port) are those it may send to by C-MOVE.
    ``settings`` are more of Orthanc's own.
    """

    name = "orthanc"

    def __init__(
        self,
        directory: Path,
        ae_title: str = "ORTHANC",
        peers: Mapping[str, tuple[str, str, int]] | None = None,
        plugins: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(directory)
        self.plugins = list(plugins)
        self.settings = dict(settings or {})
        self.ae_title = ae_title
        self.peers = dict(peers or {})
        self.port = free_port()
        self.rest_port = free_port()
        self.url = f"http://127.0.0.1:{self.rest_port}"
        self.storage = directory / "storage"

    def prepare(self) -> None:
        self._configuration.write_text(json.dumps(self._settings(), indent=2))

    def command(self) -> Sequence[str]:
        return [find_program("Orthanc", package="orthanc"), str(self._configuration)]

    def answers(self) -> bool:
        with suppress(OSError):
            return self.get("/system")["DicomAet"] == self.ae_title and accepts_connections(self.port)
        return False

    def get(self, path: str) -> Any:
        """What the REST API answers, for example to ``/studies``."""
        with closing(HTTPConnection("127.0.0.1", self.rest_port, timeout=5)) as connection:
            connection.request("GET", path)
            return json.load(connection.getresponse())

    @property
    def _configuration(self) -> Path:
        return self.directory / "orthanc.json"

    def _settings(self) -> dict[str, Any]:
        return {
            "Name": self.ae_title,
            "DicomAet": self.ae_title,
            "DicomPort": self.port,
            "HttpPort": self.rest_port,
            "StorageDirectory": str(self.storage),
            "IndexDirectory": str(self.storage),
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {name: list(peer) for name, peer in self.peers.items()},
            "DicomThreadsCount": 2,
            "HttpThreadsCount": 4,
            "ConcurrentJobs": 1,
            "Plugins": self.plugins,
            **self.settings,
        }
