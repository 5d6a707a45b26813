"""One association as acceptor: C-ECHO, C-STORE and commitment's N-EVENT-REPORT as they are asked of us (PS3.8 §7)."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from pynetdicom.presentation import AllStoragePresentationContexts

from services.probes.dicom import dimse, pdu
from services.probes.dicom.commitment import COMMITMENT_PUSH_MODEL, Commitment, outcome_of
from services.probes.dicom.connection import Connection
from services.probes.dicom.dimse import Message
from services.probes.dicom.domain import DicomFailure, Rejection
from services.probes.dicom.exchange import Exchange, ReleaseRequested, out_of_place
from services.probes.dicom.inbox import Inbox
from services.probes.dicom.instances import Received
from services.probes.dicom.negotiation import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED,
    TRANSFER_SYNTAXES_NOT_SUPPORTED,
    Proposed,
    Request,
    acceptance_reply,
    decode_request,
)
from services.probes.dicom.parameters import UNCOMPRESSED, Limits, NegotiatedContext
from services.probes.dicom.pdu import BadReply
from services.probes.dicom.retrieve import instance_of
from services.probes.dicom.statuses import OUT_OF_RESOURCES, SUCCESS, is_kept

UNRECOGNIZED_OPERATION = 0x0211

_STORAGE_PREFIX = "1.2.840.10008.5.1.4.1.1."
_STORAGE = {str(context.abstract_syntax) for context in AllStoragePresentationContexts}
# Seconds for which the peer is waited for to close the connection after its last answer (PS3.8 §9.1.5, ARTIM).
_FAREWELL = 1.0


@dataclass(frozen=True)
class House:
    """What all associations of a listener have in common. ``transfer_syntaxes`` None takes the first proposed.

    ``titles`` are what it may be called.
    """

    ae_title: str
    titles: Container[str]
    callers: frozenset[str] | None
    transfer_syntaxes: Sequence[str] | None
    timeout: float
    limits: Limits
    instances: Inbox[Received]
    commitments: Inbox[Commitment]
    judge: Callable[[Received], int]


class Acceptor:
    """Serves one connection until the peer releases it. Raises DicomFailure when it does anything else."""

    def __init__(self, connection: Connection, house: House) -> None:
        self._connection = connection
        self._house = house
        self._contexts: dict[int, NegotiatedContext] = {}

    async def serve(self, is_full: bool) -> None:
        """Accepts the association and answers its messages; rejects it where the listener is full."""
        request = await self._request()
        rejection = Rejection(2, 3, 2) if is_full else _refused(request, self._house)
        if rejection is not None:
            await self._part(pdu.rejection_reply(rejection))
            return
        exchange = self._accept(request)
        try:
            while True:
                await self._answer(exchange, await self._next(exchange), request.calling_ae_title)
        except ReleaseRequested:
            await self._part(pdu.release_reply())
        except DicomFailure as failure:
            # A peer that is gone, or that has aborted, is told nothing (PS3.8 Table 9-10).
            await self._connection.close(b"" if failure.failure in ("closed", "aborted") else pdu.abort_request(2, 0))
            raise

    async def _request(self) -> Request:
        with self._connection.within("association", self._house.timeout):
            kind, body = await self._connection.read()
            if kind != pdu.ASSOCIATE_RQ:
                raise out_of_place(kind, body)
            return decode_request(bytes(body))

    def _accept(self, request: Request) -> Exchange:
        contexts = [_judged(proposed, self._house.transfer_syntaxes) for proposed in request.contexts]
        self._contexts = {context.id: context for context in contexts if context.is_accepted}
        exchange = Exchange(self._connection, request.maximum_length, self._contexts, self._house.limits)
        try:
            reply = acceptance_reply(request, contexts)
        except ValueError as exc:
            raise BadReply("its association request holds a title or UID that is none.") from exc
        self._connection.send(reply)
        return exchange

    async def _next(self, exchange: Exchange) -> Message:
        with self._connection.within("dimse", self._house.timeout):
            return await exchange.receive()

    async def _answer(self, exchange: Exchange, message: Message, caller: str) -> None:
        command = message.command
        if command.field == dimse.C_STORE:
            status = await self._keep_instance(message, caller)
        elif command.field == dimse.N_EVENT_REPORT:
            status = await self._keep_commitment(message)
        elif command.field & dimse.RESPONSE or command.field == dimse.C_CANCEL:
            raise BadReply(f"it sent {dimse.name_of(command.field)} where nothing was asked.")
        else:
            status = SUCCESS if command.field == dimse.C_ECHO else UNRECOGNIZED_OPERATION
        exchange.send_command(message.context_id, dimse.response_to(command, status))

    async def _keep_instance(self, message: Message, caller: str) -> int:
        encoded = instance_of(message, self._syntax_of(message))
        originator = message.command.text(dimse.MOVE_ORIGINATOR) or None
        received = Received(encoded, caller, originator, message.command.optional_number(dimse.MOVE_MESSAGE_ID))
        status = self._house.judge(received)
        if is_kept(status) and not await self._house.instances.put(received, len(encoded.data), self._house.timeout):
            return OUT_OF_RESOURCES
        return status

    async def _keep_commitment(self, message: Message) -> int:
        outcome = outcome_of(message, self._syntax_of(message))
        is_taken = await self._house.commitments.put(outcome, len(message.data), self._house.timeout)
        return SUCCESS if is_taken else dimse.RESOURCE_LIMITATION

    def _syntax_of(self, message: Message) -> str:
        return self._contexts[message.context_id].transfer_syntax or ""

    async def _part(self, last: bytes) -> None:
        """Says the last word, and leaves it to the peer to close the connection."""
        self._connection.send(last)
        try:
            with self._connection.within("release", _FAREWELL):
                await self._connection.read()
        except DicomFailure:
            return


def _refused(request: Request, house: House) -> Rejection | None:
    if not request.versions & 1:
        return Rejection(1, 2, 2)
    if request.called_ae_title not in house.titles:
        return Rejection(1, 1, 7)
    if house.callers is not None and request.calling_ae_title not in house.callers:
        return Rejection(1, 1, 3)
    return None


def _judged(proposed: Proposed, preferred: Sequence[str] | None) -> NegotiatedContext:
    uid, offered = proposed.abstract_syntax, proposed.transfer_syntaxes
    if uid in (dimse.VERIFICATION, COMMITMENT_PUSH_MODEL):
        taken = [syntax for syntax in offered if syntax in UNCOMPRESSED]
    elif uid.startswith(_STORAGE_PREFIX) or uid in _STORAGE:
        taken = list(offered) if preferred is None else [syntax for syntax in preferred if syntax in offered]
    else:
        return NegotiatedContext(proposed.id, uid, ABSTRACT_SYNTAX_NOT_SUPPORTED)
    if not taken:
        return NegotiatedContext(proposed.id, uid, TRANSFER_SYNTAXES_NOT_SUPPORTED)
    return NegotiatedContext(proposed.id, uid, 0, taken[0])
