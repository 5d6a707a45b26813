"""No bytes a peer can send raise anything but our own answer."""

import asyncio
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from services.probes.dicom import EchoResult, echo
from services.probes.dicom.pdu import HEADER_LENGTH, BadReply, Data, EchoResponse, body_length, decode_reply
from tests.integration.probes.dicom.peers import (
    RELEASE_REPLY,
    abort,
    acceptance,
    answering_then_closing,
    echo_response,
    fragment,
    listening,
    pdu,
    rejection,
)

VALID = [acceptance(), rejection(1, 1, 1), abort(2, 0), fragment(echo_response()), RELEASE_REPLY]

pdus = st.builds(pdu, st.integers(0, 8), st.binary(max_size=300))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid reply in which some bytes were changed."""
    reply = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 8))):
        reply[draw(st.integers(0, len(reply) - 1))] = draw(st.integers(0, 255))
    return bytes(reply)


@settings(max_examples=1000, deadline=None)
@given(pdus | damaged())
def test_any_pdu_is_decoded_or_refused(encoded: bytes) -> None:
    with suppress(BadReply):
        reply = decode_reply(encoded)
        if isinstance(reply, Data):
            EchoResponse().add(reply)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400) | st.binary(max_size=4).map(lambda tail: echo_response() + tail))
def test_any_command_set_is_decoded_or_refused(command: bytes) -> None:
    reply = decode_reply(fragment(command))
    assert isinstance(reply, Data)
    with suppress(BadReply):
        status = EchoResponse().add(reply)
        assert status is None or 0 <= status <= 0xFFFF


@given(st.binary(min_size=HEADER_LENGTH, max_size=HEADER_LENGTH))
def test_a_length_that_is_believed_is_small(header: bytes) -> None:
    with suppress(BadReply):
        assert body_length(header) <= 64 * 1024


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(VALID) | damaged() | pdus | st.binary(max_size=50), min_size=1, max_size=3))
def test_a_whole_conversation_of_any_bytes_ends_in_a_result(replies: list[bytes]) -> None:
    async def converse() -> EchoResult:
        async with listening(answering_then_closing(b"".join(replies))) as peer:
            return await echo(peer, "TESTS", 5)

    result = asyncio.run(converse())
    assert result.outcome in {"ok", "degraded", "failed"}
    assert (result.failure is None) == (result.outcome == "ok")
