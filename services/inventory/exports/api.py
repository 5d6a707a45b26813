"""Exports over HTTP: a file for each kind, and one with all of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from tempfile import TemporaryFile
from typing import IO, Annotated, Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from services.inventory.exports import handlers
from services.inventory.exports.handlers import KINDS
from services.inventory.exports.writer import MEDIA_TYPES, Format
from shared.database import Connection
from shared.http import Call, requires

router = APIRouter(prefix="/v1/exports", tags=["exports"])

PIECE = 256 * 1024
Reading = Annotated[Call, requires("viewer")]


def _route(kind: str) -> Callable[..., Awaitable[StreamingResponse]]:
    async def export(call: Reading, format: Format = "csv") -> StreamingResponse:
        visible = call.caller.sites("viewer")
        return await _answer(
            call, f"{kind}.{format}", lambda conn, file: handlers.write_export(conn, kind, format, visible, file)
        )

    export.__name__ = f"export_{kind}"
    export.__doc__ = f"All {kind.replace('_', ' ')} of your sites as one file, as they are at one moment."
    return export


for _kind in KINDS:
    router.add_api_route(f"/{_kind}", _route(_kind), methods=["GET"], response_class=StreamingResponse)


@router.get("/all", response_class=StreamingResponse)
async def export_all(call: Reading) -> StreamingResponse:
    """All of your sites: a ZIP with a CSV for each kind, which an import of the kind ``all`` takes back."""
    visible = call.caller.sites("viewer")
    return await _answer(call, "inventory.zip", lambda conn, file: handlers.write_all(conn, visible, file))


async def _answer(call: Call, name: str, write: Callable[[Connection, IO[bytes]], Awaitable[Any]]) -> StreamingResponse:
    """What ``write`` has written, from a file without a name: who reads slowly holds no connection."""
    # ruff's rule wants a with-block, and the file must outlive this function: the answer closes it.
    file = TemporaryFile()  # noqa: SIM115 -- closed by _pieces
    try:
        async with call.read() as conn:
            await write(conn, file)
        size = file.tell()
    except BaseException:
        file.close()
        raise
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(size)}
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]
    return StreamingResponse(_pieces(file), media_type=media_type, headers=headers)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
