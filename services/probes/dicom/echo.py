"""C-ECHO, from the name look-up to the release, with the time each phase took (PS3.7 §9.1.5)."""

from dataclasses import replace

from services.probes.dicom.association import Association
from services.probes.dicom.dimse import ANSWERED_ID, C_ECHO, RESPONSE, STATUS, VERIFICATION, echo_request, name_of
from services.probes.dicom.domain import DicomFailure, EchoResult, answered, context_rejected, result_of
from services.probes.dicom.exchange import Exchange
from services.probes.dicom.negotiation import associate_request
from services.probes.dicom.parameters import (
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    Calling,
    Context,
    Limits,
    Peer,
)
from services.probes.dicom.pdu import BadReply

_CONTEXTS = (Context(VERIFICATION, (IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN)),)
_MESSAGE_ID = 1
_LIMITS = Limits()


async def echo(node: Peer, calling: Calling | str, timeout: float) -> EchoResult:
    """Verify that the node answers a C-ECHO; return within `timeout` seconds, whatever it does.

    `calling` is who asks; an AE title alone has no identity.

    When this returns or is cancelled, the connection is closed. Raises ValueError only for an AE title that can't be
    sent (PS3.5 §6.2: 1 to 16 characters, no backslash, no control characters) and for unusable files of TLS.
    """
    caller = Calling(calling) if isinstance(calling, str) else calling
    request = associate_request(node.ae_title, caller, _CONTEXTS)
    association = Association(node, timeout, timeout, _LIMITS)
    try:
        result = await _verify(association, request, timeout)
    except DicomFailure as failure:
        result = result_of(failure)
    return replace(result, phases=association.connection.phases)


async def _verify(association: Association, request: bytes, timeout: float) -> EchoResult:
    try:
        await association.connect()
        (context,) = await association.negotiate(request, _CONTEXTS)
        if not context.is_accepted:
            raise context_rejected("the Verification SOP class", context.result)
        with association.connection.within("dimse", timeout):
            result = answered(await verified(association.exchange, context.id, _MESSAGE_ID))
        if result.outcome == "ok":
            await association.release()
        return result
    finally:
        await association.close()


async def verified(exchange: Exchange, context_id: int, message_id: int) -> int:
    """The status of a C-ECHO-RSP; its Affected SOP Class UID is optional (PS3.7 §9.1.5.1.3) and not looked at."""
    exchange.send_command(context_id, echo_request(message_id))
    command = (await exchange.receive()).command
    if command.field != C_ECHO | RESPONSE:
        raise BadReply(f"it answered the C-ECHO with {name_of(command.field)}.")
    if command.number(ANSWERED_ID) != message_id:
        raise BadReply("it answered a message that was never sent.")
    return command.number(STATUS)
