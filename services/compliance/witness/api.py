"""HTTP of a witness: add-checkpoint and the last checkpoints (c2sp.org/tlog-witness), and what was refused.

No caller is known by name: the log's signature says whose a checkpoint is, and no answer tells of patients.
"""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from services.compliance.checkpoints.submission import MAX_SUBMISSION_BYTES
from services.compliance.witness.alarm import Alarm
from services.compliance.witness.domain import Refusal
from services.compliance.witness.handlers import Station

BODY_SECONDS = 10.0


class _TooMuch(Exception):
    """The body passes its limit."""


def witness_router(station: Station, alarm: Alarm) -> APIRouter:
    """The routes of one witness."""
    router = APIRouter()
    origins = {sha256(origin.encode()).hexdigest(): origin for origin in station.logs}

    @router.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        """Cosigns a checkpoint that continues the last one."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(request)
        except TimeoutError:
            return PlainTextResponse(f"the body did not come within {BODY_SECONDS:g} s\n", 408)
        except _TooMuch:
            return PlainTextResponse(f"the body passes {MAX_SUBMISSION_BYTES} bytes\n", 413)
        answer = await asyncio.to_thread(station.add_checkpoint, body, datetime.now(UTC))
        if not isinstance(answer, Refusal):
            return PlainTextResponse(answer)
        if answer.contradiction is not None:
            alarm.ring()
        return _refused(answer)

    @router.get("/{origin_hash}/checkpoint")
    async def last_checkpoint(origin_hash: str) -> Response:
        """The last checkpoint of a log, with its signature and ours; the name is the SHA-256 of the log's origin."""
        origin = origins.get(origin_hash)
        known = await asyncio.to_thread(station.last, origin) if origin else None
        if known is None:
            return PlainTextResponse("no checkpoint of this log was cosigned here\n", 404)
        return Response(known.note, media_type="text/plain; charset=utf-8")

    @router.get("/refused")
    async def refused() -> dict[str, list[dict[str, Any]]]:
        """All contradictions that were seen, the newest first."""
        return {"items": await asyncio.to_thread(station.ledger.evidence)}

    return router


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_SUBMISSION_BYTES:
            raise _TooMuch
    return bytes(body)


def _refused(refusal: Refusal) -> Response:
    if refusal.known_size is not None:
        return Response(f"{refusal.known_size}\n", refusal.status, media_type="text/x.tlog.size")
    return PlainTextResponse(f"{refusal.reason}\n", refusal.status)
