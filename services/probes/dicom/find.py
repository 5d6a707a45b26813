"""C-FIND as SCU (PS3.7 §9.1.2, PS3.4 Annexes C and K)."""

from collections.abc import AsyncGenerator

from pydicom.dataset import Dataset

from services.probes.dicom.dialogue import Dialogue
from services.probes.dicom.dimse import (
    AFFECTED_SOP_CLASS,
    C_FIND,
    DATA_SET_TYPE,
    FIELD,
    MEDIUM,
    MESSAGE_ID,
    PRIORITY,
    RESPONSE,
    STATUS,
    WITH_DATA,
    encode_command,
)
from services.probes.dicom.domain import passed_limit
from services.probes.dicom.instances import decode_identifier, encode_data
from services.probes.dicom.pdu import BadReply
from services.probes.dicom.statuses import PENDING


async def find(dialogue: Dialogue, model_uid: str, query: Dataset) -> AsyncGenerator[Dataset, None]:
    """The identifiers that match; the final status ends them."""
    context = dialogue.context_for(model_uid)
    syntax = context.transfer_syntax or ""
    identifier = encode_data(query, syntax)
    elements: dict[int, int | str] = {
        AFFECTED_SOP_CLASS: model_uid,
        FIELD: C_FIND,
        PRIORITY: MEDIUM,
        DATA_SET_TYPE: WITH_DATA,
    }
    command = encode_command(elements | {MESSAGE_ID: dialogue.begin(context)})
    await dialogue.say(context, command, identifier)
    matches = 0
    while True:
        message = await dialogue.answer(C_FIND | RESPONSE, context)
        status = message.command.number(STATUS)
        if status not in PENDING:
            dialogue.end(status)
            return
        if not message.data:
            raise BadReply("it answered the C-FIND with a match that is empty.")
        matches += 1
        if matches > dialogue.limits.matches:
            raise passed_limit(f"over {dialogue.limits.matches} matches")
        yield decode_identifier(message.data, syntax, dialogue.limits.identifier_bytes)
