"""What all kinds share that ask a DICOM node for more than an echo: its address, who calls, and what failures mean."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Annotated, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydicom.uid import UID

from services.probes.dicom import (
    Calling,
    Context,
    DicomFailure,
    Limits,
    Peer,
    Phase,
    Tls,
    UserAgent,
    UserIdentity,
    associate,
)
from services.probes.kinds.asking import NETWORK_FAILURES, TLS_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, Ended, failed, our_fault
from services.probes.kinds.dicom_statuses import Operation, meaning, printed
from services.probes.kinds.domain import Configuration, Observation
from services.probes.kinds.network import Host, Port
from services.probes.kinds.receiver import Inbox, Receiver, receiver_at
from services.probes.kinds.secret_names import Secret
from services.probes.kinds.secrets import Secrets

AeTitle = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[\x20-\x5b\x5d-\x7e]{1,16}$")]
LIMITS = Limits(instance_bytes=256 * 1024 * 1024)
ASSOCIATION_PHASES: tuple[Phase, ...] = ("dns", "tcp", "tls", "association", "release")


class NodeTls(BaseModel):
    """TLS as PS3.15 B.12 has it. Certificates and keys are the names of secrets, PEM files each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca: Secret | None = Field(None, description="by default the system's authorities")
    certificate: Secret | None = None
    key: Secret | None = None
    server_name: str | None = Field(None, max_length=253)


class NodeUser(BaseModel):
    """The user whom the node is told of (PS3.7 §D.3.3.7)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    passcode: Secret | None = None


class DicomNode(BaseModel):
    """The node to ask: host name or address, TCP port, called AE title; and, where it must differ, as whom."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Host
    port: Port = Field(description="TCP port", examples=[104])
    ae_title: AeTitle = Field(description="the AE title that the node answers to", examples=["NORTH_PACS"])
    calling_ae_title: AeTitle | None = Field(
        None, description="the AE title that we call by; by default that of STEWARD_PROBE_AE_TITLE", examples=["CT_1"]
    )
    tls: NodeTls | None = Field(None, description="TLS, with the names of secrets that hold PEM files", examples=[{}])
    user: NodeUser | None = Field(
        None,
        description="the user whom the node is told of",
        examples=[{"name": "steward", "passcode": "north.user"}],
    )


DICOM_FAILURES = {
    **NETWORK_FAILURES,
    **TLS_FAILURES,
    "timeout_association": "the node did not answer the association request within the timeout",
    "timeout_dimse": "the node did not answer a request within the timeout",
    "rejected": "the node rejected the association",
    "rejected_ae_title": "the node does not know one of the two AE titles",
    "rejected_busy": "degraded: the node is running, and too busy for an association",
    "aborted": "the node aborted the association",
    "context_rejected": "the node does not offer the service",
    "limit": "the node sends more than is taken",
    "release": "degraded: the node answered, and did not release the association",
}

N = TypeVar("N", bound=DicomNode)


class DicomAsking(Asking[N], Generic[N]):
    """A kind that asks over associations of its own. The fact ``step`` names what the node was at when it failed."""

    phases: ClassVar = frozenset({"dns", "tcp", "tls", "association", "dimse", "release"})
    failures: ClassVar = DICOM_FAILURES
    faults_of_configuration: ClassVar = Asking.faults_of_configuration | {
        *("rejected_ae_title", "move_destination_unknown", "not_authorized"),
    }

    def __init__(self, secrets: Secrets, calling_ae_title: str, listen_host: str, listen_port: int) -> None:
        super().__init__(secrets)
        self.calling_ae_title = calling_ae_title
        self._listen = (listen_host, listen_port)

    @classmethod
    def configured(cls, configuration: Configuration) -> Self:
        """Calls by the AE title that was set, and listens where archives are told to send."""
        return cls(
            Secrets(configuration.probe_secrets),
            configuration.probe_ae_title,
            configuration.probe_listen_host,
            configuration.probe_listen_port,
        )

    def caller(self, settings: DicomNode) -> str:
        """The AE title that we call by."""
        return settings.calling_ae_title or self.calling_ae_title

    @property
    def receiver(self) -> Receiver:
        """Where nodes send what they are asked to send us; shared by all that wait at that address."""
        return receiver_at(*self._listen)

    def awaiting(self, settings: DicomNode) -> AbstractAsyncContextManager[Inbox]:
        """An inbox for what the node sends us."""
        return self.receiver.waiting_for(settings.ae_title, self.caller(settings))

    @asynccontextmanager
    async def associated(
        self, settings: DicomNode, contexts: Sequence[Context], attempt: Attempt
    ) -> AsyncIterator[UserAgent]:
        """An association whose phases are counted. Raises Ended when all of the contexts are refused."""
        async with self.negotiated(settings, contexts, attempt) as assoc:
            if not any(context.is_accepted for context in assoc.contexts):
                wanted = ", ".join(dict.fromkeys(UID(context.abstract_syntax).name for context in contexts))
                raise failed("context_rejected", f"The node takes none of what is proposed: {wanted}.")
            yield assoc

    @asynccontextmanager
    async def negotiated(
        self, settings: DicomNode, contexts: Sequence[Context], attempt: Attempt
    ) -> AsyncIterator[UserAgent]:
        """An association whatever of it is accepted."""
        peer, calling = self.peer(settings, attempt), self.calling(settings, attempt)
        left = attempt.left
        async with associate(peer, contexts, calling, left, total=left, limits=LIMITS) as assoc:
            yield assoc
        for phase in ASSOCIATION_PHASES:
            if phase in assoc.phases:
                attempt.phases[phase] = round(attempt.phases.get(phase, 0.0) + assoc.phases[phase], 3)

    def peer(self, settings: DicomNode, attempt: Attempt) -> Peer:
        """Whom we call, in TLS where it is set. Raises SecretMissing."""
        tls = settings.tls
        if tls is None:
            return Peer(settings.host, settings.port, settings.ae_title)
        ca, certificate, key = (name and attempt.secret_file(name) for name in (tls.ca, tls.certificate, tls.key))
        secured = Tls(ca, certificate, key, tls.server_name)
        return Peer(settings.host, settings.port, settings.ae_title, secured)

    def calling(self, settings: DicomNode, attempt: Attempt) -> Calling:
        """As whom we call. Raises SecretMissing."""
        user = settings.user
        if user is None:
            return Calling(self.caller(settings))
        passcode = attempt.secret(user.passcode) if user.passcode else None
        return Calling(self.caller(settings), UserIdentity.username(user.name, passcode))


@contextmanager
def step(attempt: Attempt, name: str) -> Iterator[None]:
    """Times a step as a phase of its own; what fails within is told with the step's name before it."""
    with attempt.phase(name):
        try:
            yield
        except DicomFailure as failure:
            raise Ended(failure_observed(failure, name)) from failure
        except ValueError as exc:
            raise our_fault("settings", f"{name}: the node can't be asked: {exc}") from exc


def failure_observed(failure: DicomFailure, name: str | None = None) -> Observation:
    """What an association that ended early means for its node."""
    rejection = failure.rejection
    return Observation(
        outcome=failure.outcome,
        failure=failure.failure,
        detail=f"{name}: {failure.detail}" if name else failure.detail,
        rejection=(rejection.result, rejection.source, rejection.reason) if rejection else None,
        status=printed(failure.status) if failure.status is not None else None,
        facts={"step": name} if name else {},
    )


def check_status(status: int, operation: Operation, name: str) -> None:
    """Raises Ended unless the status lets the check go on: warnings of a store do, all else but success does not."""
    judged = meaning(status, operation)
    if judged.outcome == "failed":
        detail = f"{name}: the node answered the C-{operation.upper()} with {printed(status)}: {judged.text}."
        raise Ended(Observation("failed", judged.failure, detail, status=printed(status), facts={"step": name}))
