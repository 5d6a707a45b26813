"""Where archives send what they were asked to send: one listener an address, open while somebody waits at it.

A C-STORE of a C-MOVE, or the N-EVENT-REPORT of a commitment, comes over an association that the archive opens. Several
checks of one process may wait at once; each takes what comes from the archive that it asked.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from services.probes.dicom import Commitment, Listener, Received, listen
from services.probes.kinds.attempt import our_fault

WAITING = 64


@dataclass(eq=False)
class Inbox:
    """What has come for one who waits."""

    instances: asyncio.Queue[Received] = field(default_factory=lambda: asyncio.Queue(WAITING))
    commitments: asyncio.Queue[Commitment] = field(default_factory=lambda: asyncio.Queue(WAITING))


@dataclass(eq=False)
class Receiver:
    """The listener of one address, shared by all who wait there."""

    host: str
    port: int
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict)
    _inboxes: dict[str, Inbox] = field(default_factory=dict)
    _titles: list[str] = field(default_factory=list)
    _open: "asyncio.Task[None] | None" = None

    @asynccontextmanager
    async def waiting_for(self, ae_title: str, ours: str) -> AsyncIterator[Inbox]:
        """An inbox for what the archive of that AE title sends; one who waits for it at a time, others queue.

        While it lasts we may be called ``ours``. What comes from a title that nobody waits for goes to all: an archive
        may send under another title than it answers to. Raises Ended when the port can't be listened on.
        """
        async with self._turns.setdefault(ae_title, asyncio.Lock()):
            inbox = Inbox()
            self._inboxes[ae_title] = inbox
            self._titles.append(ours)
            try:
                await self._ensure_open(ours)
                yield inbox
            finally:
                del self._inboxes[ae_title]
                self._titles.remove(ours)
                _drain(inbox)
                await self._close_unless_needed()

    async def _ensure_open(self, ae_title: str) -> None:
        async with self._opening:
            if self._open is not None and not self._open.done():
                return
            ready = asyncio.get_running_loop().create_future()
            self._open = asyncio.create_task(self._serve(ae_title, ready))
            try:
                await ready
            except OSError as exc:
                self._open = None
                detail = f"We can't listen at {self.host}:{self.port} for what the archive sends: {exc.strerror}."
                raise our_fault("local", detail) from exc

    async def _close_unless_needed(self) -> None:
        async with self._opening:
            if not self._inboxes and self._open is not None:
                self._open.cancel()
                await asyncio.gather(self._open, return_exceptions=True)
                self._open = None

    async def _serve(self, ae_title: str, ready: "asyncio.Future[None]") -> None:
        try:
            async with (
                listen(ae_title, self.host, self.port, titles=self._titles) as listener,
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(self._hand_out_instances(listener))
                tasks.create_task(self._hand_out_commitments(listener))
                ready.set_result(None)
        except Exception as exc:
            if ready.done():
                raise
            ready.set_exception(exc)

    async def _hand_out_instances(self, listener: Listener) -> None:
        async for received in listener.received():
            for inbox in self._addressed(received.calling_ae_title):
                await inbox.instances.put(received)

    async def _hand_out_commitments(self, listener: Listener) -> None:
        async for commitment in listener.commitments():
            for inbox in list(self._inboxes.values()):
                await inbox.commitments.put(commitment)

    def _addressed(self, ae_title: str) -> list[Inbox]:
        inbox = self._inboxes.get(ae_title)
        return [inbox] if inbox else list(self._inboxes.values())


def _drain(inbox: Inbox) -> None:
    while not inbox.instances.empty():
        inbox.instances.get_nowait()
    while not inbox.commitments.empty():
        inbox.commitments.get_nowait()


_RECEIVERS: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], Receiver]]" = WeakKeyDictionary()


def receiver_at(host: str, port: int) -> Receiver:
    """The one receiver at that address in this process, by whatever titles we are called there."""
    receivers = _RECEIVERS.setdefault(asyncio.get_running_loop(), {})
    return receivers.setdefault((host, port), Receiver(host, port))
