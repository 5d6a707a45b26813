"""An association as its user sees it: the DIMSE services, their answers, and the end."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from pydicom.dataset import Dataset

from services.probes.dicom.commitment import Commitment
from services.probes.dicom.domain import Phase
from services.probes.dicom.instances import Encoded
from services.probes.dicom.parameters import Calling, Context, Limits, NegotiatedContext, Peer
from services.probes.dicom.statuses import Progress, SubOperations


class UserAgent:
    """An established association as requestor. Every method raises DicomFailure for what the peer or network does."""

    contexts: tuple[NegotiatedContext, ...]
    last_status: int
    sub_operations: SubOperations

    @property
    def phases(self) -> Mapping[Phase, float]:
        """Milliseconds that each phase has taken; ``dimse`` is the sum of all operations."""
        raise NotImplementedError

    async def echo(self) -> int:
        """The status of a C-ECHO (PS3.7 §9.1.5)."""
        raise NotImplementedError

    async def find(self, model_uid: str, query: Dataset) -> AsyncIterator[Dataset]:
        """The identifiers that match (PS3.7 §9.1.2); afterwards ``last_status`` is the final status."""
        raise NotImplementedError
        yield

    async def store(self, instance: Dataset | Encoded) -> int:
        """The status of a C-STORE (PS3.7 §9.1.1)."""
        raise NotImplementedError

    async def get(self, model_uid: str, query: Dataset) -> AsyncIterator[Encoded]:
        """The instances that a C-GET brings (PS3.7 §9.1.3); afterwards ``sub_operations`` and ``last_status``."""
        raise NotImplementedError
        yield

    async def move(self, model_uid: str, query: Dataset, destination: str) -> AsyncIterator[Progress]:
        """The answers to a C-MOVE (PS3.7 §9.1.4), the final one included."""
        raise NotImplementedError
        yield

    async def cancel(self) -> None:
        """Asks the peer to end the find, get or move that is being read (PS3.7 §9.3.2.3)."""
        raise NotImplementedError

    async def request_commitment(self, references: Sequence[tuple[str, str]]) -> str:
        """Asks by N-ACTION that these (SOP class, SOP instance) be kept; the transaction UID (PS3.4 §J.3.2)."""
        raise NotImplementedError

    async def commitment(self, timeout: float | None = None) -> Commitment:
        """The next outcome that the peer tells on this association (PS3.4 §J.3.3)."""
        raise NotImplementedError


@asynccontextmanager
async def associate(
    peer: Peer,
    contexts: Sequence[Context],
    calling: Calling = Calling(),  # noqa: B008 -- it is frozen
    timeout: float = 10.0,
    *,
    total: float | None = None,
    limits: Limits = Limits(),  # noqa: B008 -- it is frozen
) -> AsyncIterator[UserAgent]:
    """An association with the peer, released at the block's end, aborted where the block is left by an exception.

    ``timeout`` (seconds) bounds each phase and each answer, ``total`` the whole from the name look-up to the release.
    Raises DicomFailure; ValueError for what can't be sent, such as an impossible AE title.
    """
    raise NotImplementedError
    yield
