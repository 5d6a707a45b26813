"""The contracts over HTTP. They hold no data, so whoever writes a consumer may read them without a token."""

from typing import Any

from fastapi import APIRouter

from services.console.contracts.asyncapi import asyncapi_document, event_schema
from services.console.sign_in.visitor import OPEN_TO_ALL
from shared.errors import NotFound
from shared.events import CONTRACTS

router = APIRouter(dependencies=[OPEN_TO_ALL])


@router.get("/asyncapi.json")
async def get_asyncapi() -> dict[str, Any]:
    """The AsyncAPI document of all events."""
    return asyncapi_document()


@router.get("/schemas/{event_type}.json")
async def get_schema(event_type: str) -> dict[str, Any]:
    """The JSON Schema of one type's events."""
    contract = CONTRACTS.get(event_type)
    if contract is None:
        raise NotFound(f"no event type {event_type}")
    return event_schema(contract)
