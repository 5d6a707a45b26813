"""The kind ``dicom-echo``: does a node answer a C-ECHO (Verification, PS3.4 §A)?"""

from typing import ClassVar

from services.probes.dicom import EchoResult, echo
from services.probes.kinds.attempt import Attempt
from services.probes.kinds.dicom_nodes import DicomAsking, DicomNode
from services.probes.kinds.domain import Observation
from shared.events.inventory import DicomAddress


class DicomEchoSettings(DicomNode):
    """The node to ask, and, where it must differ, as whom."""


class DicomEcho(DicomAsking[DicomEchoSettings]):
    """A C-ECHO over an association of its own."""

    name = "dicom-echo"
    summary = "Opens an association with the node, sends a C-ECHO and releases it."
    settings = DicomEchoSettings
    asks_for_reach = True
    failures: ClassVar = {
        **DicomAsking.failures,
        "dimse_status": "the node answered the C-ECHO with another status than success",
    }

    @classmethod
    def settings_for(cls, address: DicomAddress) -> DicomEchoSettings:
        """Every DICOM node can be asked; what can't be sent to it, its run will tell."""
        return DicomEchoSettings.model_construct(host=address.host, port=address.port, ae_title=address.ae_title)

    async def ask(self, settings: DicomEchoSettings, attempt: Attempt) -> Observation:
        """One C-ECHO. A node that can't be asked as it is set is a fault of ours, not of the node."""
        peer, calling = self.peer(settings, attempt), self.calling(settings, attempt)
        try:
            return observed(await echo(peer, calling, attempt.left))
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
