"""Quarantine over HTTP: list, look, replay, discard. Raw messages may be of any site, so it takes a group-wide role."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from shared import quarantine
from shared.errors import Malformed
from shared.events import GROUP
from shared.http.call import Call, requires
from shared.http.pages import Page, Paging
from shared.quarantine import Held
from shared.resource import UUID, Body, Id, Line
from shared.transactions import Transaction

router = APIRouter(prefix="/v1/quarantine", tags=["quarantine"])

State = Literal["held", "replayed", "discarded"]


class HeldMessage(BaseModel):
    """A quarantined message as it is shown; ``raw`` with what is no UTF-8 escaped."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    topic: str
    partition: int
    offset: int
    raw: str
    reason: str
    quarantined_at: str
    state: State
    decided_by: str | None
    decision: str | None

    @classmethod
    def of(cls, held: Held) -> "HeldMessage":
        """Shows a message."""
        shown = held.model_dump(mode="json", exclude={"raw", "decided_at"})
        return cls.model_validate(shown | {"raw": held.raw.decode(errors="backslashreplace")})


class Discard(Body):
    """Why a message will never be applied."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"reason": "sent by a test of the vendor"}]}
    )

    reason: Line = Field(description="for the audit trail")


async def discard(tx: Transaction, held_id: str, reason: str) -> HeldMessage:
    """Ends a message's quarantine without applying it. Raises Conflict when it was decided before."""
    await quarantine.select_one(tx.conn, held_id)
    await quarantine.decide(tx, held_id, "discarded", reason)
    return HeldMessage.of(await quarantine.select_one(tx.conn, held_id))


def check_cursor(cursor: str | None) -> str | None:
    """The cursor, which is the id of a message. Raises Malformed."""
    if cursor is not None and not re.fullmatch(UUID, cursor):
        raise Malformed("cursor", "must be the `next` of an answer", "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10")
    return cursor


@router.get("")
async def list_held(
    call: Annotated[Call, requires("operator")], paging: Paging, state: Annotated[State, Query()] = "held"
) -> Page[HeldMessage]:
    """The messages in a state, oldest first."""
    call.caller.require("operator", GROUP, "quarantine")
    after = check_cursor(paging.after)
    async with call.read() as conn:
        found = await quarantine.select_held(conn, state, after, paging.limit + 1)
    return paging.page([HeldMessage.of(held) for held in found], lambda held: held.id)


@router.get("/{held_id}")
async def get_held(held_id: Id, call: Annotated[Call, requires("operator")]) -> HeldMessage:
    """The message, raw, with why it was set aside."""
    call.caller.require("operator", GROUP, f"quarantined message {held_id}")
    async with call.read() as conn:
        return HeldMessage.of(await quarantine.select_one(conn, held_id))


@router.post("/{held_id}/replay")
async def replay(held_id: Id, call: Annotated[Call, requires("operator")]) -> HeldMessage:
    """Applies the message now; 409 says why that still fails, or that it was decided before."""
    call.caller.require("operator", GROUP, f"quarantined message {held_id}")
    async with call.read() as conn:
        held = await quarantine.select_one(conn, held_id)
    await call.context.reader.replay(held, call.caller.name)
    async with call.read() as conn:
        return HeldMessage.of(await quarantine.select_one(conn, held_id))


@router.post("/{held_id}/discard")
async def discard_held(held_id: Id, body: Discard, call: Annotated[Call, requires("operator")]) -> HeldMessage:
    """Gives the message up; the reason stays with it."""
    call.caller.require("operator", GROUP, f"quarantined message {held_id}")
    return await call.run(discard, held_id, body.reason)
