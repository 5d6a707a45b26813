"""C-GET and C-MOVE as SCU (PS3.7 §9.1.3, §9.1.4, PS3.4 §C.4.2, §C.4.3)."""

from collections.abc import AsyncGenerator

from pydicom.dataset import Dataset

from services.probes.dicom import dimse
from services.probes.dicom.dialogue import Dialogue
from services.probes.dicom.dimse import RESPONSE, Command, Message
from services.probes.dicom.domain import passed_limit
from services.probes.dicom.instances import Encoded, encode_data
from services.probes.dicom.parameters import NegotiatedContext
from services.probes.dicom.pdu import BadReply
from services.probes.dicom.statuses import PENDING, SUCCESS, Progress, SubOperations


async def get(dialogue: Dialogue, model_uid: str, query: Dataset) -> AsyncGenerator[Encoded, None]:
    """The instances; each is confirmed to the peer when the next one is asked for."""
    context = dialogue.context_for(model_uid)
    await _ask(dialogue, context, dimse.C_GET, query, {})
    instances = 0
    while True:
        message = await dialogue.hear()
        if message.command.field == dimse.C_STORE:
            instances += 1
            _check_count(dialogue, instances)
            yield _instance(dialogue, message)
            dialogue.tell(dialogue.context_of(message), dimse.response_to(message.command, SUCCESS))
        elif _progress(dialogue, dialogue.checked(message, dimse.C_GET | RESPONSE, context)).status not in PENDING:
            return


async def move(dialogue: Dialogue, model_uid: str, query: Dataset, destination: str) -> AsyncGenerator[Progress, None]:
    """The answers, the final one included."""
    context = dialogue.context_for(model_uid)
    await _ask(dialogue, context, dimse.C_MOVE, query, {dimse.MOVE_DESTINATION: destination})
    answers = 0
    while True:
        message = await dialogue.answer(dimse.C_MOVE | RESPONSE, context)
        answers += 1
        _check_count(dialogue, answers)
        progress = _progress(dialogue, message)
        yield progress
        if progress.status not in PENDING:
            return


async def _ask(
    dialogue: Dialogue, context: NegotiatedContext, field: int, query: Dataset, more: dict[int, int | str]
) -> None:
    identifier = encode_data(query, context.transfer_syntax or "")
    elements: dict[int, int | str] = {
        dimse.AFFECTED_SOP_CLASS: context.abstract_syntax,
        dimse.FIELD: field,
        dimse.PRIORITY: dimse.MEDIUM,
        dimse.DATA_SET_TYPE: dimse.WITH_DATA,
        dimse.MESSAGE_ID: dialogue.begin(context),
    }
    await dialogue.say(context, dimse.encode_command(elements | more), identifier)


def _check_count(dialogue: Dialogue, count: int) -> None:
    if count > dialogue.limits.matches:
        raise passed_limit(f"over {dialogue.limits.matches} answers to one retrieval")


def _instance(dialogue: Dialogue, message: Message) -> Encoded:
    context = dialogue.context_of(message)
    if not context.as_scp:
        raise BadReply("it stores on a presentation context of which it is the SCP.")
    return instance_of(message, context.transfer_syntax or "")


def instance_of(message: Message, transfer_syntax: str) -> Encoded:
    """The instance that a C-STORE-RQ carries (PS3.7 §9.3.1.1). Raises BadReply for one without."""
    command = message.command
    uids = command.text(dimse.AFFECTED_SOP_CLASS), command.text(dimse.AFFECTED_SOP_INSTANCE)
    if not all(uids) or not message.data:
        raise BadReply("it stores without saying what.")
    return Encoded(*uids, transfer_syntax, message.data)


def _progress(dialogue: Dialogue, message: Message) -> Progress:
    status = message.command.number(dimse.STATUS)
    dialogue.sub_operations = _sub_operations(message.command)
    if status not in PENDING:
        dialogue.end(status)
    return Progress(status, dialogue.sub_operations)


def _sub_operations(command: Command) -> SubOperations:
    return SubOperations(
        remaining=command.optional_number(dimse.REMAINING),
        completed=command.optional_number(dimse.COMPLETED),
        failed=command.optional_number(dimse.FAILED),
        warnings=command.optional_number(dimse.WARNINGS),
    )
