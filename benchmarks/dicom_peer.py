"""The peer of the C-ECHO benchmark: a process that does no more than answer, so that it is its callers that are seen.

It accepts whatever association is asked of it with one presentation context, and answers every message with success.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import uvloop

from services.probes.dicom.dimse import (
    ANSWERED_ID,
    C_ECHO,
    DATA_SET_TYPE,
    FIELD,
    NO_DATA,
    RESPONSE,
    STATUS,
    encode_command,
)
from services.probes.dicom.negotiation import acceptance_reply, decode_request
from services.probes.dicom.parameters import NegotiatedContext
from services.probes.dicom.pdu import (
    ASSOCIATE_RQ,
    COMMAND,
    HEADER_LENGTH,
    LAST,
    P_DATA_TF,
    body_length,
    release_reply,
    whole,
)
from tests.parts.process import Part, accepts_connections, free_port


class EchoPeer(Part):
    """The process."""

    name = "echo-peer"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.port = free_port()

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "benchmarks.dicom_peer", str(self.port)]

    def answers(self) -> bool:
        return accepts_connections(self.port)


class _Answering(asyncio.Protocol):
    acceptance = b""
    answer = whole(
        1,
        COMMAND | LAST,
        encode_command({FIELD: C_ECHO | RESPONSE, ANSWERED_ID: 1, DATA_SET_TYPE: NO_DATA, STATUS: 0x0000}),
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= HEADER_LENGTH:
            kind, length = body_length(self._received)
            if len(self._received) < HEADER_LENGTH + length:
                return
            self._answer(kind, self._received[HEADER_LENGTH : HEADER_LENGTH + length])
            self._received = self._received[HEADER_LENGTH + length :]

    def _answer(self, kind: int, body: bytes) -> None:
        if kind == ASSOCIATE_RQ:
            if not _Answering.acceptance:
                request = decode_request(body)
                context = request.contexts[0]
                accepted = NegotiatedContext(1, context.abstract_syntax, 0, context.transfer_syntaxes[0])
                _Answering.acceptance = acceptance_reply(request, [accepted])
            self._transport.write(_Answering.acceptance)
        elif kind == P_DATA_TF:
            self._transport.write(_Answering.answer)
        else:
            self._transport.write(release_reply())
            self._transport.close()


async def serve(port: int) -> None:
    """Answers until the process is ended."""
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
