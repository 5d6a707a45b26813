"""Kinds over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.probes.kinds import KINDS
from shared.http import Call, Page, requires

router = APIRouter(prefix="/kinds", tags=["kinds"])


class KindOfProbe(BaseModel):
    """One kind, with the JSON Schema of its settings."""

    name: str = Field(examples=["dicom-echo"])
    summary: str
    settings: dict[str, Any]


@router.get("")
async def list_kinds(call: Annotated[Call, requires("viewer")]) -> Page[KindOfProbe]:
    """What a probe can ask."""
    kinds = [
        KindOfProbe(name=kind.name, summary=kind.summary, settings=kind.settings.model_json_schema()) for kind in KINDS
    ]
    return Page(items=kinds, next=None)
