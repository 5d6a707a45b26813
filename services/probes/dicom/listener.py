"""The storage SCP of C-MOVE, and the side of Storage Commitment that is told the outcome (PS3.4 Annexes B and J)."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from services.probes.dicom.commitment import Commitment
from services.probes.dicom.instances import Received
from services.probes.dicom.parameters import Limits, Tls


class Listener:
    """A listening SCP of C-ECHO, C-STORE and of commitment's N-EVENT-REPORT."""

    ae_title: str
    port: int

    def received(self) -> AsyncIterator[Received]:
        """The instances as they come, until the listener closes."""
        raise NotImplementedError

    def commitments(self) -> AsyncIterator[Commitment]:
        """The outcomes of commitment requests as they come, until the listener closes."""
        raise NotImplementedError


@asynccontextmanager
async def listen(
    ae_title: str,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    tls: Tls | None = None,
    callers: Sequence[str] | None = None,
    transfer_syntaxes: Sequence[str] | None = None,
    timeout: float = 30.0,
    limits: Limits = Limits(),  # noqa: B008 -- it is frozen
    associations: int = 16,
    pending: int = 64,
    judge: Callable[[Received], int] | None = None,
) -> AsyncIterator[Listener]:
    """A listener while the block lasts; afterwards its port and all its associations are closed.

    ``callers`` are the calling AE titles that are let in (by default all). ``transfer_syntaxes`` are those taken, in
    order of preference (by default the first that the caller proposes). More than ``associations`` at once are rejected
    as "local limit exceeded". Whoever sends when ``pending`` instances wait to be taken by ``received()`` waits.
    ``judge`` gives the status to answer a C-STORE with; by default success.
    """
    raise NotImplementedError
    yield
