"""One DIMSE operation after the other on an association, as their invoker (PS3.7 §7.5, §8)."""

import asyncio
from collections import deque

from pydicom.uid import UID

from services.probes.dicom.association import Association
from services.probes.dicom.commitment import Commitment, outcome_of
from services.probes.dicom.dimse import (
    ANSWERED_ID,
    N_EVENT_REPORT,
    Message,
    name_of,
    response_to,
)
from services.probes.dicom.domain import DicomFailure, context_rejected
from services.probes.dicom.exchange import ReleaseRequested
from services.probes.dicom.parameters import Limits, NegotiatedContext
from services.probes.dicom.pdu import BadReply
from services.probes.dicom.statuses import SUCCESS, SubOperations


class Dialogue:
    """The established association, what was negotiated, and the one operation that is under way."""

    def __init__(
        self, association: Association, contexts: tuple[NegotiatedContext, ...], timeout: float, limits: Limits
    ) -> None:
        self.contexts = contexts
        self.limits = limits
        self.timeout = timeout
        self.last_status = SUCCESS
        self.sub_operations = SubOperations()
        self.commitments: deque[Commitment] = deque(maxlen=limits.matches)
        self._association = association
        self._exchange = association.exchange
        self._ends_at = association.connection.ends_at
        self._last_id = 0
        self._by_id = {context.id: context for context in contexts}
        self._under_way: NegotiatedContext | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether an operation was begun whose final answer was not read."""
        return self._under_way is not None

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> NegotiatedContext:
        """The accepted context. Raises DicomFailure where the peer refused it, ValueError where it was not proposed."""
        proposed = [context for context in self.contexts if context.abstract_syntax == abstract_syntax]
        if not proposed:
            raise ValueError(f"no presentation context was proposed for {UID(abstract_syntax).name}")
        accepted = [context for context in proposed if context.is_accepted]
        fitting = [context for context in accepted if transfer_syntax in (None, context.transfer_syntax)]
        if fitting:
            return fitting[0]
        what = UID(abstract_syntax).name + (f" in {UID(transfer_syntax).name}" if transfer_syntax else "")
        raise context_rejected(what, 4 if accepted else proposed[0].result)

    def context_of(self, message: Message) -> NegotiatedContext:
        """The context that a message came on."""
        return self._by_id[message.context_id]

    def begin(self, context: NegotiatedContext) -> int:
        """The message id for a new operation. Raises RuntimeError while another is unfinished, or broke."""
        if self._under_way is not None:
            raise RuntimeError("an operation on this association is unfinished or failed")
        self._under_way = context
        self._last_id = self._last_id % 0xFFFF + 1
        connection = self._association.connection
        connection.ends_at = min(self._ends_at, asyncio.get_running_loop().time() + self.limits.operation_seconds)
        return self._last_id

    def end(self, status: int) -> int:
        """The operation got its final answer."""
        self._under_way = None
        self._association.connection.ends_at = self._ends_at
        self.last_status = status
        return status

    async def say(self, context: NegotiatedContext, command: bytes, data: bytes) -> None:
        """Sends a request with its data set."""
        with self._association.connection.within("dimse", self.timeout):
            await self._exchange.send(context.id, command, data)

    def tell(self, context: NegotiatedContext, command: bytes) -> None:
        """Sends a message without data."""
        with self._association.connection.within("dimse", self.timeout):
            self._exchange.send_command(context.id, command)

    async def hear(self) -> Message:
        """The next message; reports on commitment are kept and answered on the way."""
        while (message := self._heard() or await self._hear(self.timeout)).command.field == N_EVENT_REPORT:
            self._keep(message)
        return message

    async def hear_report(self, timeout: float | None) -> None:
        """Waits for a report on commitment, and keeps and answers it."""
        message = await self._hear(timeout or self.timeout)
        if message.command.field != N_EVENT_REPORT:
            raise BadReply(f"it sent {name_of(message.command.field)} where nothing was asked.")
        self._keep(message)

    async def _hear(self, timeout: float) -> Message:
        with self._association.connection.within("dimse", timeout):
            try:
                return await self._exchange.receive()
            except ReleaseRequested as exc:
                raise _released() from exc

    def _heard(self) -> Message | None:
        """What has come already, and takes no time."""
        try:
            return self._exchange.receive_now()
        except ReleaseRequested as exc:
            raise _released() from exc
        except DicomFailure as failure:
            failure.phase = failure.phase or "dimse"
            raise

    async def answer(self, field: int, context: NegotiatedContext) -> Message:
        """The next message, which is the response of that field to the operation under way."""
        return self.checked(await self.hear(), field, context)

    def checked(self, message: Message, field: int, context: NegotiatedContext) -> Message:
        """The same message, if it is the response of that field to the operation under way. Raises BadReply."""
        command = message.command
        if command.field != field:
            raise BadReply(f"it sent {name_of(command.field)} where {name_of(field)} was due.")
        if command.number(ANSWERED_ID) != self._last_id:
            raise BadReply("it answered a message that was never sent.")
        if message.context_id != context.id:
            raise BadReply("it answered on another presentation context than it was asked on.")
        return message

    def cancelled(self) -> tuple[NegotiatedContext, int]:
        """Context and message id of the operation under way. Raises RuntimeError where there is none."""
        if self._under_way is None:
            raise RuntimeError("there is no operation to cancel")
        return self._under_way, self._last_id

    def _keep(self, message: Message) -> None:
        context = self.context_of(message)
        self.commitments.append(outcome_of(message, context.transfer_syntax or ""))
        self._exchange.send_command(context.id, response_to(message.command, SUCCESS))


def _released() -> BadReply:
    return BadReply("it asked for the release, which is ours to ask.")
