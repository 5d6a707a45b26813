"""An association as its user sees it: the DIMSE services, their answers, and the end."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from services.probes.dicom import dimse, find, retrieve
from services.probes.dicom.association import Association
from services.probes.dicom.commitment import COMMITMENT_PUSH_MODEL, Commitment, request_elements, request_for
from services.probes.dicom.dialogue import Dialogue
from services.probes.dicom.domain import DicomFailure, Phase, context_rejected
from services.probes.dicom.instances import Encoded, encode, encode_data, fitting_syntax
from services.probes.dicom.negotiation import associate_request
from services.probes.dicom.parameters import Calling, Context, Limits, NegotiatedContext, Peer
from services.probes.dicom.statuses import SUCCESS, Progress, SubOperations


class UserAgent:
    """An established association as requestor. Every method raises DicomFailure for what the peer or network does.

    One operation goes on at a time; RuntimeError tells of a second one. After a DicomFailure of a peer that broke the
    protocol or fell silent, the association is good for nothing more, and is aborted at its end.
    """

    def __init__(self, association: Association, dialogue: Dialogue) -> None:
        self._association = association
        self._dialogue = dialogue

    @property
    def contexts(self) -> tuple[NegotiatedContext, ...]:
        """What became of the proposed presentation contexts, in their order."""
        return self._dialogue.contexts

    @property
    def phases(self) -> Mapping[Phase, float]:
        """Milliseconds that each phase has taken; ``dimse`` is the sum of all operations."""
        return self._association.connection.phases

    @property
    def last_status(self) -> int:
        """The final status of the last operation."""
        return self._dialogue.last_status

    @property
    def sub_operations(self) -> SubOperations:
        """What the last answer to a C-GET or C-MOVE told of its sub-operations."""
        return self._dialogue.sub_operations

    async def echo(self) -> int:
        """The status of a C-ECHO (PS3.7 §9.1.5)."""
        dialogue = self._dialogue
        context = dialogue.context_for(dimse.VERIFICATION)
        dialogue.tell(context, dimse.echo_request(dialogue.begin(context)))
        answer = await dialogue.answer(dimse.C_ECHO | dimse.RESPONSE, context)
        return dialogue.end(answer.command.number(dimse.STATUS))

    def find(self, model_uid: str, query: Dataset) -> AsyncGenerator[Dataset, None]:
        """The identifiers that match (PS3.7 §9.1.2); afterwards ``last_status`` is the final status."""
        return find.find(self._dialogue, model_uid, query)

    async def store(self, instance: Dataset | Encoded) -> int:
        """The status of a C-STORE (PS3.7 §9.1.1). A data set is sent in the transfer syntax that was accepted.

        Raises DicomFailure ``context_rejected``, and leaves the association as it is, where none fits the instance.
        """
        return await self._stored(await self._offer(instance))

    async def store_each(self, instances: Iterable[Dataset | Encoded]) -> AsyncGenerator[int, None]:
        """Stores one after the other, and gives the status of each.

        The next one is fetched from ``instances`` while the peer is busy with the last, so that reading a file costs no
        time of its own. An error in fetching it leaves the association fit only to be aborted.
        """
        upcoming = iter(instances)
        instance = next(upcoming, None)
        while instance is not None:
            context = await self._offer(instance)
            instance = next(upcoming, None)
            yield await self._stored(context)

    async def _offer(self, instance: Dataset | Encoded) -> NegotiatedContext:
        dialogue = self._dialogue
        if isinstance(instance, Dataset):
            instance = self._encoded(instance)
        context = dialogue.context_for(instance.sop_class, instance.transfer_syntax)
        request = dimse.store_request(instance.sop_class, instance.sop_instance, dialogue.begin(context))
        await dialogue.say(context, request, instance.data)
        return context

    async def _stored(self, context: NegotiatedContext) -> int:
        answer = await self._dialogue.answer(dimse.C_STORE | dimse.RESPONSE, context)
        return self._dialogue.end(answer.command.number(dimse.STATUS))

    def get(self, model_uid: str, query: Dataset) -> AsyncGenerator[Encoded, None]:
        """The instances that a C-GET brings (PS3.7 §9.1.3); afterwards ``sub_operations`` and ``last_status``.

        The peer is told of each instance that it was taken when the next one is asked for.
        """
        return retrieve.get(self._dialogue, model_uid, query)

    def move(self, model_uid: str, query: Dataset, destination: str) -> AsyncGenerator[Progress, None]:
        """The answers to a C-MOVE (PS3.7 §9.1.4), the final one included."""
        return retrieve.move(self._dialogue, model_uid, query, destination)

    async def cancel(self) -> None:
        """Asks the peer to end the find, get or move that is being read, which goes on to its final answer."""
        context, message_id = self._dialogue.cancelled()
        self._dialogue.tell(
            context,
            dimse.encode_command(
                {dimse.FIELD: dimse.C_CANCEL, dimse.ANSWERED_ID: message_id, dimse.DATA_SET_TYPE: dimse.NO_DATA}
            ),
        )

    async def request_commitment(self, references: Sequence[tuple[str, str]]) -> str:
        """Asks by N-ACTION that these (SOP class, SOP instance) be kept; the transaction UID (PS3.4 §J.3.2).

        Raises DicomFailure ``dimse_status`` where the peer won't.
        """
        dialogue, transaction_uid = self._dialogue, generate_uid(prefix=None)
        context = dialogue.context_for(COMMITMENT_PUSH_MODEL)
        asked = encode_data(request_for(transaction_uid, references), context.transfer_syntax or "")
        command = dimse.encode_command(request_elements(dialogue.begin(context)))
        await dialogue.say(context, command, asked)
        answer = await dialogue.answer(dimse.N_ACTION | dimse.RESPONSE, context)
        status = dialogue.end(answer.command.number(dimse.STATUS))
        if status != SUCCESS:
            detail = f"The peer refused the request for commitment with status 0x{status:04X}."
            raise DicomFailure("dimse_status", detail, status=status, phase="dimse")
        return transaction_uid

    async def commitment(self, timeout: float | None = None) -> Commitment:
        """The next outcome that the peer tells on this association (PS3.4 §J.3.3).

        When none comes in time, the association is as it was: the peer may tell it later, at a listener.
        """
        dialogue = self._dialogue
        while not dialogue.commitments:
            await dialogue.hear_report(timeout)
        return dialogue.commitments.popleft()

    def _encoded(self, ds: Dataset) -> Encoded:
        sop_class = str(ds.SOPClassUID)
        self._dialogue.context_for(sop_class)
        accepted = [c.transfer_syntax for c in self.contexts if c.abstract_syntax == sop_class and c.transfer_syntax]
        transfer_syntax = fitting_syntax(ds, accepted)
        if transfer_syntax is None:
            raise context_rejected("the transfer syntax of the instance", 4)
        return encode(ds, [transfer_syntax])


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
    request = associate_request(peer.ae_title, calling, contexts)
    association = Association(peer, timeout, total, limits)
    try:
        await association.connect()
        dialogue = Dialogue(association, await association.negotiate(request, contexts), timeout, limits)
        yield UserAgent(association, dialogue)
        if not dialogue.is_under_way:
            await association.release()
    finally:
        await association.close()
