"""The asynchronous DICOM user agent: associations as requestor, and the DIMSE services that probes ask for.

`associate` opens an association and `listen` a storage SCP; whatever a peer or the network does is a `DicomFailure`.
`echo` is the shortcut that answers with a value.
"""

from services.probes.dicom.agent import UserAgent, associate
from services.probes.dicom.commitment import COMMITMENT_PUSH_MODEL, Commitment
from services.probes.dicom.domain import DicomFailure, EchoResult, FailureClass, Outcome, Phase, Rejection
from services.probes.dicom.echo import echo
from services.probes.dicom.instances import Encoded, Received, encode, read_encoded
from services.probes.dicom.listener import Listener, listen
from services.probes.dicom.parameters import (
    UNCOMPRESSED,
    Calling,
    Context,
    Limits,
    NegotiatedContext,
    Peer,
    Tls,
    UserIdentity,
)
from services.probes.dicom.statuses import Progress, SubOperations

__all__ = [
    "COMMITMENT_PUSH_MODEL",
    "UNCOMPRESSED",
    "Calling",
    "Commitment",
    "Context",
    "DicomFailure",
    "EchoResult",
    "Encoded",
    "FailureClass",
    "Limits",
    "Listener",
    "NegotiatedContext",
    "Outcome",
    "Peer",
    "Phase",
    "Progress",
    "Received",
    "Rejection",
    "SubOperations",
    "Tls",
    "UserAgent",
    "UserIdentity",
    "associate",
    "echo",
    "encode",
    "listen",
    "read_encoded",
]
