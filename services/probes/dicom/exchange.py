"""DIMSE messages over a connection (PS3.8 Annex E): out in fragments, in as wholes, each within its bounds."""

from collections.abc import Collection, Iterator
from itertools import islice

from services.probes.dicom import pdu
from services.probes.dicom.buffers import Assembly
from services.probes.dicom.connection import Connection
from services.probes.dicom.dimse import C_FIND, C_STORE, LARGEST_COMMAND, RESPONSE, Command, Message, decode_command
from services.probes.dicom.domain import DicomFailure, aborted, passed_limit
from services.probes.dicom.parameters import Limits
from services.probes.dicom.pdu import BadReply

# Outcomes of commitment name every instance, and final answers of retrievals the failed ones.
LARGEST_REPORT = 1 << 20
# Bytes that are handed to the transport at once.
_AT_ONCE = 1 << 18


class ReleaseRequested(Exception):
    """The peer asked to release the association, between two messages (PS3.8 §7.2)."""


class Exchange:
    """The messages of one established association."""

    def __init__(
        self, connection: Connection, maximum_length: int, context_ids: Collection[int], limits: Limits
    ) -> None:
        self.connection = connection
        self._most = pdu.fragment_length(maximum_length)
        self._context_ids = frozenset(context_ids)
        self._limits = limits
        self._values: Iterator[tuple[int, int, memoryview]] = iter(())
        self._begin_message()

    def send_command(self, context_id: int, command: bytes) -> None:
        """Sends a message without data, and doesn't wait until the peer takes it."""
        self.connection.send(self._packed(context_id, command))

    async def send(self, context_id: int, command: bytes, data: bytes) -> None:
        """Sends a message with its data set, as fast as the peer takes it."""
        pieces = pdu.fragments(context_id, 0, data, self._most)
        count = max(1, _AT_ONCE // self._most)
        batch = [self._packed(context_id, command), *islice(pieces, 2 * count)]
        while batch:
            await self.connection.write(batch)
            self.connection.credit(count * self._most)
            batch = list(islice(pieces, 2 * count))

    def _packed(self, context_id: int, command: bytes) -> bytes:
        if len(command) <= self._most:
            return pdu.whole(context_id, pdu.COMMAND | pdu.LAST, command)
        return b"".join(pdu.fragments(context_id, pdu.COMMAND, command, self._most))

    async def receive(self) -> Message:
        """The next whole message; one that is half here when the time ends goes on with the next call.

        Raises DicomFailure, and ReleaseRequested where the peer asks for the release.
        """
        while (message := self.receive_now()) is None:
            if self.connection.turn.is_over():
                await self.connection.give_way()
            else:
                self._admit(*await self.connection.read())
        return message

    def receive_now(self) -> Message | None:
        """The same, if all of it has come and it is not the turn of others."""
        is_over = self.connection.turn.is_over
        while not is_over():
            for context_id, control, fragment in self._values:
                if message := self._add(context_id, control, fragment):
                    return message
                if is_over():
                    return None
            found = self.connection.read_now()
            if found is None:
                return None
            self._admit(*found)
        return None

    def _admit(self, kind: int, body: memoryview) -> None:
        if kind == pdu.RELEASE_RQ and not self._context_id:
            raise ReleaseRequested
        if kind != pdu.P_DATA_TF:
            raise out_of_place(kind, body)
        self._values = pdu.values(body)

    def _begin_message(self) -> None:
        self._context_id = 0
        self._command: Command | None = None
        self._received = Assembly()

    def _add(self, context_id: int, control: int, fragment: memoryview) -> Message | None:
        if context_id not in self._context_ids:
            raise BadReply("it speaks on a presentation context that was not accepted.")
        if self._context_id and context_id != self._context_id:
            raise BadReply("it mixes messages of two presentation contexts.")
        if bool(control & pdu.COMMAND) != (self._command is None):
            raise BadReply("its command and data fragments come out of order.")
        self._context_id = context_id
        self._received.add(fragment)
        self._check_size(self._received.length)
        if self._command is not None:
            self.connection.credit(len(fragment))
        return self._message() if control & pdu.LAST else None

    def _message(self) -> Message | None:
        context_id, command, received = self._context_id, self._command, self._received.whole()
        if command is None:
            command, received = decode_command(received), b""
            if command.has_data:
                self._command, self._received = command, Assembly()
                return None
        self._begin_message()
        return Message(context_id, command, received)

    def _check_size(self, size: int) -> None:
        if self._command is None:
            if size > LARGEST_COMMAND:
                raise BadReply("a command set of its does not end.")
        elif self._command.field == C_STORE:
            if size > self._limits.instance_bytes:
                raise passed_limit(f"an instance of over {self._limits.instance_bytes} bytes")
        elif self._command.field == C_FIND | RESPONSE:
            if size > self._limits.identifier_bytes:
                raise passed_limit(f"an identifier of over {self._limits.identifier_bytes} bytes")
        elif size > LARGEST_REPORT:
            raise passed_limit(f"a report of over {LARGEST_REPORT} bytes")


def out_of_place(kind: int, body: memoryview) -> DicomFailure:
    """The failure that a PDU means where another was due; that of an A-ABORT is the abort's."""
    if kind == pdu.ABORT:
        return aborted(pdu.decode_abort(body))
    return BadReply(f"it sent an {pdu.NAMES[kind]} where that has no place.")
