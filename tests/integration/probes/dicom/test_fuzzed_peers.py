"""No bytes that a peer can send raise anything but our own failure; and pynetdicom reads and writes what we do.

``STEWARD_FUZZ_EXAMPLES`` says how many examples there are of each.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ, A_RELEASE_RP, A_RELEASE_RQ, P_DATA_TF

from services.probes.dicom import EchoResult, Limits, dimse, echo, pdu
from services.probes.dicom.connection import Connection
from services.probes.dicom.dimse import decode_command, encode_command
from services.probes.dicom.domain import DicomFailure, Rejection
from services.probes.dicom.exchange import Exchange, ReleaseRequested
from services.probes.dicom.instances import decode_identifier
from services.probes.dicom.negotiation import associate_request, decode_acceptance, decode_request
from services.probes.dicom.parameters import Calling, Context
from tests.integration.probes.dicom import peers
from tests.integration.probes.dicom.peers import (
    RELEASE_REPLY,
    abort,
    acceptance,
    answering_then_closing,
    data_fragment,
    echo_response,
    fragment,
    listening,
    rejection,
    response,
)

REQUEST = associate_request("CALLED", Calling("CALLING"), [Context(dimse.VERIFICATION), Context("1.2.3", as_scp=True)])
IDENTIFIER = bytes.fromhex("08005200 06000000 535455445920 20000D00 04000000 312E3200".replace(" ", ""))
PENDING = fragment(response(0x8020, status=0xFF00, has_data=True)) + data_fragment(IDENTIFIER)
VALID = [acceptance(), rejection(1, 1, 1), abort(2, 0), fragment(echo_response()), RELEASE_REPLY, PENDING, REQUEST]
LIMITS = Limits(instance_bytes=10_000, identifier_bytes=1_000)

EXAMPLES = int(os.environ.get("STEWARD_FUZZ_EXAMPLES", "1000"))

pdus = st.builds(peers.pdu, st.integers(0, 8), st.binary(max_size=300))


@st.composite
def damaged(draw: st.DrawFn, valid: list[bytes] = VALID) -> bytes:
    """A valid reply in which some bytes were changed."""
    reply = bytearray(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(1, 8))):
        reply[draw(st.integers(0, len(reply) - 1))] = draw(st.integers(0, 255))
    return bytes(reply)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=300) | damaged())
@pytest.mark.parametrize(
    "decode",
    [decode_acceptance, decode_request, pdu.decode_rejection, pdu.decode_abort, lambda body: [*pdu.values(body)]],
)
def test_any_body_is_decoded_or_refused(decode: Callable[[bytes], object], encoded: bytes) -> None:
    with suppress(DicomFailure):
        decode(encoded)
    with suppress(DicomFailure):
        decode(encoded[6:])


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=400) | damaged([echo_response(), response(0x8021, status=0xFF00, remaining=3)]))
def test_any_command_set_is_decoded_or_refused(body: bytes) -> None:
    with suppress(DicomFailure):
        command = decode_command(body)
        assert 0 <= command.field <= 0xFFFF
        command.text(dimse.AFFECTED_SOP_CLASS)
        dimse.response_to(command, 0x0000)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.binary(max_size=400) | damaged([IDENTIFIER]),
    st.sampled_from(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"]),
)
def test_any_identifier_is_decoded_or_refused_and_its_values_can_be_read(data: bytes, transfer_syntax: str) -> None:
    with suppress(DicomFailure):
        for element in decode_identifier(data, transfer_syntax, 10_000).iterall():
            assert element.value is not NotImplemented


@given(st.binary(min_size=pdu.HEADER_LENGTH, max_size=pdu.HEADER_LENGTH))
def test_a_length_that_is_believed_is_small(header: bytes) -> None:
    with suppress(DicomFailure):
        assert pdu.body_length(header)[1] <= pdu.OFFERED_LENGTH


@settings(max_examples=max(300, EXAMPLES // 3), deadline=None)
@given(
    st.lists(st.sampled_from(VALID) | damaged() | pdus | st.binary(max_size=50), min_size=1, max_size=5),
    st.integers(1, 200),
)
def test_any_stream_in_any_chunks_is_read_as_messages_or_refused(said: list[bytes], chunk: int) -> None:
    async def read() -> None:
        connection = Connection(asyncio.get_running_loop(), 0)
        stream = b"".join(said)
        for start in range(0, len(stream), chunk):
            connection.data_received(stream[start : start + chunk])
        connection.connection_lost(None)
        exchange = Exchange(connection, 16_384, [1], LIMITS)
        with connection.within("dimse", 5):
            while True:
                await exchange.receive()

    with pytest.raises((DicomFailure, ReleaseRequested)):
        asyncio.run(read())


@settings(max_examples=max(100, EXAMPLES // 100), deadline=None)
@given(st.lists(st.sampled_from(VALID) | damaged() | pdus | st.binary(max_size=50), min_size=1, max_size=3))
def test_a_whole_conversation_of_any_bytes_ends_in_a_result(replies: list[bytes]) -> None:
    async def converse() -> EchoResult:
        async with listening(answering_then_closing(b"".join(replies))) as peer:
            return await echo(peer, "TESTS", 5)

    result = asyncio.run(converse())
    assert result.outcome in {"ok", "degraded", "failed"}
    assert (result.failure is None) == (result.outcome == "ok")


@given(st.binary(min_size=1, max_size=3_000), st.integers(1, 700), st.sampled_from([0, 1]))
def test_pynetdicom_reads_our_fragments(message: bytes, most: int, control: int) -> None:
    encoded, found = b"".join(pdu.fragments(3, control, message, most)), b""
    offset = 0
    while offset < len(encoded):
        _, length = pdu.body_length(encoded, offset)
        read = P_DATA_TF()
        read.decode(encoded[offset : offset + 6 + length])
        (value,) = read.presentation_data_value_items
        assert value.presentation_context_id == 3
        is_last = offset + 6 + length == len(encoded)
        assert value.message_control_header_byte == f"{control | (2 if is_last else 0):08b}"
        found += bytes(value.presentation_data_value or b"")[1:]
        offset += 6 + length
    assert found == message


@given(st.integers(1, 0xFFFF), st.integers(16, 200))
def test_pynetdicom_reads_our_command_sets(message_id: int, most: int) -> None:
    command = encode_command(
        {
            dimse.AFFECTED_SOP_CLASS: "1.2.840.10008.5.1.4.1.1.2",
            dimse.FIELD: dimse.C_STORE,
            dimse.MESSAGE_ID: message_id,
            dimse.PRIORITY: dimse.MEDIUM,
            dimse.DATA_SET_TYPE: dimse.WITH_DATA,
            dimse.AFFECTED_SOP_INSTANCE: "1.2.3",
            dimse.MOVE_ORIGINATOR: "ODD",
        }
    )
    message, encoded = DIMSEMessage(), b"".join(pdu.fragments(1, pdu.COMMAND, command, most))
    encoded += b"".join(pdu.fragments(1, 0, b"data", most))
    offset = 0
    while offset < len(encoded):
        _, length = pdu.body_length(encoded, offset)
        read = P_DATA_TF()
        read.decode(encoded[offset : offset + 6 + length])
        is_whole = message.decode_msg(read.to_primitive())
        offset += 6 + length
    assert is_whole
    primitive = message.message_to_primitive()
    assert isinstance(primitive, C_STORE)
    assert (primitive.MessageID, primitive.AffectedSOPInstanceUID) == (message_id, "1.2.3")
    assert primitive.MoveOriginatorApplicationEntityTitle == "ODD"


@given(st.integers(1, 0xFFFF), st.integers(0, 0xFFFF))
def test_we_read_pynetdicoms_command_sets(message_id: int, originator: int) -> None:
    primitive, message = C_STORE(), C_STORE_RQ()
    primitive.MessageID = message_id
    primitive.AffectedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    primitive.AffectedSOPInstanceUID = "1.2.3"
    primitive.Priority = 0
    primitive.MoveOriginatorMessageID = originator
    primitive.DataSet = BytesIO(b"data")
    message.primitive_to_message(primitive)
    first, *_ = message.encode_msg(1, 16_384)
    (_, _, body), *_ = pdu.values(bytes(P_DATA_TF(first).encode() or b"")[6:])
    command = decode_command(bytes(body))
    assert (command.field, command.number(dimse.MESSAGE_ID)) == (dimse.C_STORE, message_id)
    assert command.text(dimse.AFFECTED_SOP_INSTANCE) == "1.2.3"
    assert command.number(dimse.MOVE_MESSAGE_ID) == originator
    assert command.has_data


def test_the_short_pdus_are_those_of_pynetdicom() -> None:
    for decoder, encoded in (
        (A_RELEASE_RQ(), pdu.release_request()),
        (A_RELEASE_RP(), pdu.release_reply()),
        (A_ABORT_RQ(), pdu.abort_request(2, 6)),
        (A_ASSOCIATE_RJ(), pdu.rejection_reply(Rejection(1, 1, 7))),
    ):
        decoder.decode(encoded)
        assert decoder.encode() == encoded


def test_a_request_that_we_made_is_read_again() -> None:
    request = decode_request(REQUEST[6:])
    assert (request.called_ae_title, request.calling_ae_title) == ("CALLED", "CALLING")
    assert [context.abstract_syntax for context in request.contexts] == [dimse.VERIFICATION, "1.2.3"]
    assert request.roles == {"1.2.3": (False, True)}
    assert request.maximum_length == pdu.OFFERED_LENGTH
