"""The kind ``dicom-echo``: does a node answer a C-ECHO (Verification, PS3.4 §A)?"""

from typing import Self

from pydantic import BaseModel

from services.probes.dicom import EchoResult, Peer, echo
from services.probes.kinds.domain import Configuration, Kind, Observation
from shared.events.inventory import DicomAddress


class DicomEchoSettings(BaseModel):
    """The node to ask: host name or address, TCP port, called AE title."""

    host: str
    port: int
    ae_title: str


class DicomEcho(Kind[DicomEchoSettings]):
    """A C-ECHO over an association of its own."""

    name = "dicom-echo"
    summary = "Opens an association with the node, sends a C-ECHO and releases it."
    settings = DicomEchoSettings

    def __init__(self, calling_ae_title: str) -> None:
        self._calling_ae_title = calling_ae_title

    @classmethod
    def configured(cls, configuration: Configuration) -> Self:
        """Calls by the AE title that was set."""
        return cls(configuration.probe_ae_title)

    @classmethod
    def settings_for(cls, address: DicomAddress) -> DicomEchoSettings:
        """Every DICOM node can be asked."""
        return DicomEchoSettings(host=address.host, port=address.port, ae_title=address.ae_title)

    async def run(self, settings: DicomEchoSettings, timeout: float) -> Observation:
        """One C-ECHO. An AE title that can't be sent is a fault of ours, not of the node."""
        node = Peer(settings.host, settings.port, settings.ae_title)
        try:
            return observed(await echo(node, self._calling_ae_title, timeout))
        except ValueError as exc:
            return Observation("probe_error", "settings", f"The node can't be asked: {exc}")


def observed(result: EchoResult) -> Observation:
    """The echo's result in the words that all kinds share."""
    rejection = result.rejection
    return Observation(
        outcome=result.outcome,
        failure=result.failure,
        detail=result.detail,
        phases={phase: round(ms, 3) for phase, ms in result.phases.items()},
        rejection=(rejection.result, rejection.source, rejection.reason) if rejection else None,
        status=result.dimse_status,
    )
