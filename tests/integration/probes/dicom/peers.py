"""Small DICOM peers, written byte by byte, that do what no archive should."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from typing import cast

from services.probes.dicom import Peer

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

RELEASE_REPLY = bytes.fromhex("06 00 00000004 00000000")
_APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
_IMPLICIT_LITTLE_ENDIAN = b"1.2.840.10008.1.2"


@asynccontextmanager
async def listening(behave: Behaviour) -> AsyncIterator[Peer]:
    """A peer on a free port that behaves so on each connection; at the end nothing of it is left."""
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        writers.append(writer)
        with closing(writer), suppress(OSError, EOFError):
            await behave(reader, writer)

    # asyncio's own server, when it is closed, forgets the connections that it is about to hand over.
    with ExitStack() as connections, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        def accept() -> None:
            connection = connections.enter_context(listener.accept()[0])
            tasks.append(loop.create_task(serve(connection)))

        loop.add_reader(listener, accept)
        try:
            yield Peer("127.0.0.1", listener.getsockname()[1], "HOSTILE")
        finally:
            loop.remove_reader(listener)
            for task in tasks:
                task.cancel()
            told = await asyncio.gather(*tasks, return_exceptions=True)
            for writer in writers:
                writer.transport.abort()
            await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)
    assert [error for error in told if isinstance(error, Exception)] == []


async def read_pdu(reader: asyncio.StreamReader) -> bytes:
    """One whole PDU from the requestor."""
    header = await reader.readexactly(6)
    return header + await reader.readexactly(int.from_bytes(header[2:], "big"))


def pdu(pdu_type: int, body: bytes) -> bytes:
    """A PDU of that type (PS3.8 §9.3.1)."""
    return bytes([pdu_type, 0]) + len(body).to_bytes(4, "big") + body


def acceptance(context_result: int = 0, context_id: int = 1, maximum_length: int = 16_384) -> bytes:
    """An A-ASSOCIATE-AC for one context (PS3.8 §9.3.3)."""
    context = bytes([context_id, 0, context_result, 0]) + _item(0x40, _IMPLICIT_LITTLE_ENDIAN)
    user = _item(0x51, maximum_length.to_bytes(4, "big")) + _item(0x52, b"1.2.3")
    items = _item(0x10, _APPLICATION_CONTEXT) + _item(0x21, context) + _item(0x50, user)
    return pdu(0x02, b"\0\1\0\0" + b"HOSTILE".ljust(16) + b"TESTS".ljust(16) + bytes(32) + items)


def rejection(result: int, source: int, reason: int) -> bytes:
    """An A-ASSOCIATE-RJ (PS3.8 §9.3.4)."""
    return pdu(0x03, bytes([0, result, source, reason]))


def abort(source: int, reason: int) -> bytes:
    """An A-ABORT (PS3.8 §9.3.8)."""
    return pdu(0x07, bytes([0, 0, source, reason]))


def fragment(command: bytes, context_id: int = 1, is_last: bool = True) -> bytes:
    """A P-DATA-TF with one command fragment (PS3.8 §9.3.5, Annex E.2)."""
    value = bytes([context_id, 3 if is_last else 1]) + command
    return pdu(0x04, len(value).to_bytes(4, "big") + value)


def echo_response(status: int = 0x0000, message_id: int = 1, command_field: int = 0x8030) -> bytes:
    """The command set of a C-ECHO-RSP, without the optional Affected SOP Class UID (PS3.7 §9.3.5.2)."""
    elements = b"".join(
        struct.pack("<HHIH", 0x0000, element, 2, value)
        for element, value in ((0x0100, command_field), (0x0120, message_id), (0x0800, 0x0101), (0x0900, status))
    )
    return struct.pack("<HHII", 0x0000, 0x0000, 4, len(elements)) + elements


def response(field: int, message_id: int = 1, status: int = 0x0000, *, has_data: bool = False, **more: int) -> bytes:
    """The command set of a response; ``more`` are the numbers of sub-operations."""
    counts = {"remaining": 0x1020, "completed": 0x1021, "failed": 0x1022, "warnings": 0x1023}
    data_type = 0x0001 if has_data else 0x0101
    elements = {0x0100: field, 0x0120: message_id, 0x0800: data_type, 0x0900: status}
    return command_set(elements | {counts[name]: number for name, number in more.items()})


def command_set(elements: Mapping[int, int | bytes]) -> bytes:
    """A command set of numbers and of texts, which are padded already."""
    packed = [(element, v if isinstance(v, bytes) else struct.pack("<H", v)) for element, v in sorted(elements.items())]
    body = b"".join(struct.pack("<HHI", 0x0000, element, len(value)) + value for element, value in packed)
    return struct.pack("<HHII", 0x0000, 0x0000, 4, len(body)) + body


def data_fragment(data: bytes, context_id: int = 1, is_last: bool = True) -> bytes:
    """A P-DATA-TF with one fragment of a data set."""
    value = bytes([context_id, 2 if is_last else 0]) + data
    return pdu(0x04, len(value).to_bytes(4, "big") + value)


def answering(*replies: bytes) -> Behaviour:
    """Answer each PDU of the requestor with the next of these, then say nothing until it leaves."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            await read_pdu(reader)
            writer.write(reply)
        await reader.read()

    return behave


def answering_then_closing(*replies: bytes) -> Behaviour:
    """Answer each PDU of the requestor with the next of these, and close after the last."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            await read_pdu(reader)
            writer.write(reply)

    return behave


def dripping(reply: bytes, seconds: float) -> Behaviour:
    """Answer the first PDU one byte at a time, with a pause after each."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_pdu(reader)
        for value in reply:
            writer.write(bytes([value]))
            await writer.drain()
            await asyncio.sleep(seconds)
        await reader.read()

    return behave


async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection before anything was said."""


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End the connection with a TCP reset."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def talk_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, then send well-formed command fragments for ever, none of them the last."""
    await read_pdu(reader)
    writer.write(acceptance())
    await read_pdu(reader)
    while True:
        writer.write(fragment(bytes(8_000), is_last=False))
        await writer.drain()


def repeating(first: bytes, again: bytes) -> Behaviour:
    """Accept, answer the first message with ``first``, then say ``again`` for ever, as fast as it is read."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_pdu(reader)
        writer.write(acceptance())
        await read_pdu(reader)
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()

    return behave


def trickling(first: bytes, again: bytes, seconds: float) -> Behaviour:
    """Accept, say ``first``, then ``again`` for ever, with a pause after each."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_pdu(reader)
        writer.write(acceptance() + first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(seconds)

    return behave


async def accept_and_read_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, then leave all that comes unread."""
    await read_pdu(reader)
    writer.write(acceptance())
    cast(asyncio.Transport, writer.transport).pause_reading()
    await asyncio.get_running_loop().create_future()


async def half_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, say that nothing more will come, and listen on."""
    await read_pdu(reader)
    writer.write(acceptance())
    writer.write_eof()
    await reader.read()


def _item(item_type: int, body: bytes) -> bytes:
    return bytes([item_type, 0]) + len(body).to_bytes(2, "big") + body
