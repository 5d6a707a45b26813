"""How an association can end early, and how each answer of a peer is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["ok", "degraded", "failed", "probe_error"]
Phase = Literal["dns", "tcp", "tls", "association", "dimse", "release"]
FailureClass = Literal[
    "dns",
    "local",
    "refused",
    "unreachable",
    "timeout_connect",
    "timeout_tls",
    "timeout_association",
    "timeout_dimse",
    "tls",
    "tls_expired",
    "tls_not_yet_valid",
    "tls_untrusted",
    "tls_name",
    "tls_version",
    "tls_client_certificate",
    "closed",
    "protocol",
    "limit",
    "rejected",
    "rejected_ae_title",
    "rejected_busy",
    "aborted",
    "context_rejected",
    "dimse_status",
    "release",
]

SUCCESS = 0x0000

_RESULTS = {1: "rejected-permanent", 2: "rejected-transient"}
_SOURCES = {
    1: "DICOM UL service-user",
    2: "DICOM UL service-provider (ACSE related function)",
    3: "DICOM UL service-provider (Presentation related function)",
}
_REASONS = {
    (1, 1): "no-reason-given",
    (1, 2): "application-context-name-not-supported",
    (1, 3): "calling-AE-title-not-recognized",
    (1, 7): "called-AE-title-not-recognized",
    (2, 1): "no-reason-given",
    (2, 2): "protocol-version-not-supported",
    (3, 1): "temporary-congestion",
    (3, 2): "local-limit-exceeded",
}
_AE_TITLE_REASONS = {(1, 3), (1, 7)}
_BUSY_REASONS = {(3, 1), (3, 2)}

_ABORT_SOURCES = {0: "DICOM UL service-user", 2: "DICOM UL service-provider"}
_ABORT_REASONS = {
    0: "reason-not-specified",
    1: "unrecognized-PDU",
    2: "unexpected-PDU",
    4: "unrecognized-PDU parameter",
    5: "unexpected-PDU parameter",
    6: "invalid-PDU-parameter value",
}

_CONTEXT_RESULTS = {
    0: "acceptance",
    1: "user-rejection",
    2: "no-reason (provider rejection)",
    3: "abstract-syntax-not-supported (provider rejection)",
    4: "transfer-syntaxes-not-supported (provider rejection)",
}

_STATUSES = {
    0x0122: "SOP class not supported",
    0x0210: "duplicate invocation",
    0x0211: "unrecognized operation",
    0x0212: "mistyped argument",
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """The numbers of an A-ASSOCIATE-RJ, with the text of PS3.8 §9.3.4, Table 9-21."""

    result: int
    source: int
    reason: int

    @property
    def text(self) -> str:
        """The three fields in the words of the standard; a number it does not define reads "reserved"."""
        result = _RESULTS.get(self.result, "reserved")
        source = _SOURCES.get(self.source, "reserved")
        reason = _REASONS.get((self.source, self.reason), "reserved")
        return f"{result}: {reason}, by the {source}"


@dataclass(frozen=True, slots=True)
class Abort:
    """The numbers of an A-ABORT (PS3.8 §9.3.8, Table 9-26)."""

    source: int
    reason: int

    @property
    def text(self) -> str:
        """Source and reason in the words of the standard; the reason counts only from the service-provider."""
        source = _ABORT_SOURCES.get(self.source, "reserved")
        if self.source != 2:
            return source
        return f"{source}, {_ABORT_REASONS.get(self.reason, 'reserved')}"


@dataclass(frozen=True, slots=True)
class EchoResult:
    """The result of one C-ECHO: the outcome and, unless it is `ok`, why; `detail` is a sentence for a person.

    `dimse_status` is written as the standard prints it (`0x0000`). `phases` holds milliseconds for each phase that was
    begun; the last one may have been cut short by the failure.
    """

    outcome: Outcome
    failure: FailureClass | None
    detail: str
    rejection: Rejection | None = None
    dimse_status: str | None = None
    phases: Mapping[Phase, float] = field(default_factory=dict)


class DicomFailure(Exception):
    """What ended an association or an operation early: ``failure`` is its class, ``detail`` a sentence for a person.

    ``outcome`` is how a probe judges it: ``degraded`` for a peer that is only busy, ``probe_error`` for what is our own
    fault. ``status`` is a DIMSE status that the peer answered with, ``phase`` the one that it ended in.
    """

    def __init__(
        self,
        failure: FailureClass,
        detail: str,
        *,
        outcome: Outcome = "failed",
        rejection: Rejection | None = None,
        status: int | None = None,
        phase: Phase | None = None,
    ) -> None:
        super().__init__(detail)
        self.failure: FailureClass = failure
        self.detail = detail
        self.outcome: Outcome = outcome
        self.rejection = rejection
        self.status = status
        self.phase = phase


def result_of(failure: DicomFailure) -> EchoResult:
    """The result of an echo that ended so; what comes after the answer to it leaves the peer usable."""
    if failure.phase == "release":
        status = f"0x{SUCCESS:04X}"
        return EchoResult("degraded", "release", failure.detail, dimse_status=status)
    return EchoResult(failure.outcome, failure.failure, failure.detail, failure.rejection)


def answered(status: int) -> EchoResult:
    """The result for a C-ECHO-RSP (PS3.7 §9.3.5.2): Success is the only status under which it verifies the peer."""
    printed = f"0x{status:04X}"
    if status == SUCCESS:
        return EchoResult("ok", None, "The peer answered the C-ECHO with success.", dimse_status=printed)
    meaning = _STATUSES.get(status, "a status that PS3.7 does not define for C-ECHO")
    detail = f"The peer answered the C-ECHO with status {printed}: {meaning}."
    return EchoResult("failed", "dimse_status", detail, dimse_status=printed)


def rejected(rejection: Rejection) -> DicomFailure:
    """An A-ASSOCIATE-RJ (PS3.8 §9.3.4).

    An unknown AE title is a fault of configuration, so repeating won't help; congestion and every other transient
    rejection come from a peer that is alive but can't take an association now.
    """
    why = (rejection.source, rejection.reason)
    detail = f"The peer rejected the association ({rejection.text})."
    if why in _AE_TITLE_REASONS:
        side = "our calling AE title" if rejection.reason == 3 else "the called AE title"
        detail += f" It does not know {side}: correct the configuration on one of the two sides."
        return DicomFailure("rejected_ae_title", detail, rejection=rejection)
    if why in _BUSY_REASONS or rejection.result == 2:
        detail += " It is running, but busy."
        return DicomFailure("rejected_busy", detail, outcome="degraded", rejection=rejection)
    return DicomFailure("rejected", detail, rejection=rejection)


def aborted(abort: Abort) -> DicomFailure:
    """An A-ABORT in answer to a request."""
    return DicomFailure("aborted", f"The peer aborted the association ({abort.text}).")


def context_rejected(what: str, result: int) -> DicomFailure:
    """An association without the presentation context that is needed (PS3.8 §9.3.3.2, Table 9-18)."""
    text = _CONTEXT_RESULTS.get(result, "reserved")
    detail = f"The peer accepted the association but not {what} ({text})."
    return DicomFailure("context_rejected", detail, phase="association")


def not_released(why: DicomFailure) -> DicomFailure:
    """An association whose work was done, but that could not be released (PS3.8 §7.2)."""
    detail = f"The peer answered, but did not release the association: {why.detail}"
    return DicomFailure("release", detail, outcome="degraded", phase="release")


def passed_limit(what: str) -> DicomFailure:
    """The peer sent more than we take."""
    return DicomFailure("limit", f"The peer sends more than is taken: {what}.", phase="dimse")


def timed_out(phase: Phase, timeout: float) -> DicomFailure:
    """The end of the time in ``phase``."""
    within = f"within {timeout:g} s"
    if phase == "dns":
        return DicomFailure("dns", f"Our name resolver did not answer {within}.", outcome="probe_error", phase=phase)
    failure, detail = _TIMEOUTS[phase]
    return DicomFailure(failure, f"{detail} {within}.", phase=phase)


_TIMEOUTS: dict[Phase, tuple[FailureClass, str]] = {
    "tcp": ("timeout_connect", "No connection could be made"),
    "tls": ("timeout_tls", "The peer did not complete the TLS handshake"),
    "association": ("timeout_association", "The peer did not answer the association request"),
    "dimse": ("timeout_dimse", "The peer did not answer"),
    "release": ("release", "No answer"),
}
