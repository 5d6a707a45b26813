"""Archives that hospitals really run, in the places of the simulated ones."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from demo.archive import Address, Archive
from demo.fleet import Fleet, Hospital
from tests.parts.dcmtk import Dcmqrscp
from tests.parts.orthanc import Orthanc


class Program(Protocol):
    """An archive as a program of its own."""

    port: int
    storage: Path

    def start(self) -> None:
        """Returns when it answers."""

    def kill(self) -> None:
        """Ends it at once."""


class RealArchive(Archive):
    """A program that answers as ``ae_title``; stopping it is a crash."""

    def __init__(self, name: str, ae_title: str, program: Program) -> None:
        super().__init__(name, ae_title, program.storage)
        self.port = program.port
        self._program = program
        self._runs = False

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._runs

    def start(self) -> None:
        """Starts the program on its port and its images."""
        if not self._runs:
            self._program.start()
            self._runs = True

    def stop(self) -> None:
        """Kills the program; its port is closed when this returns."""
        self._program.kill()
        self._runs = False


class RealFleet(Fleet):
    """The group with Orthanc as the northern archive and DCMTK's dcmqrscp as the two others.

    Each holds a first study that its modality has stored there by C-STORE.
    """

    def __init__(self, folder: Path, destinations: Mapping[str, Address]) -> None:
        super().__init__(folder)
        north, south = self.hospitals
        known = {title.lower(): (title, *address) for title, address in destinations.items()}
        self.hospitals = [
            _with(north, Orthanc(folder / "orthanc", north.archive.ae_title, peers=known)),
            _with(south, Dcmqrscp(folder / "south-dcmqrscp", south.archive.ae_title, known)),
        ]
        east = Dcmqrscp(folder / "east-dcmqrscp", self.newcomer.archive.ae_title, known)
        self.newcomer = _with(self.newcomer, east)


def _with(hospital: Hospital, program: Program) -> Hospital:
    archive = hospital.archive
    return replace(hospital, archive=RealArchive(archive.name, archive.ae_title, program))
