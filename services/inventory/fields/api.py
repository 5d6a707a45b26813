"""Custom fields over HTTP. Whoever may see any site sees them; a grant for the whole group is needed to change one."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field, StrictBool, StringConstraints
from pydantic.config import JsonDict

from services.inventory.fields import handlers, store
from services.inventory.fields.domain import FieldDefinition
from shared.events.inventory import ComponentType, FieldKind
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Line
from shared.transactions import new_id

router = APIRouter(prefix="/v1/fields", tags=["fields"])

EXAMPLE: JsonDict = {
    "label": "Height in the rack",
    "required": False,
    "unit": "U",
    "minimum": 1,
    "maximum": 50,
    "choices": None,
}
Limit = Annotated[float, Field(allow_inf_nan=False, ge=-1e300, le=1e300)]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class ChangeField(Body):
    """What a field asks for. Its type, name and kind stay: values of another kind belong to another field."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    label: Line
    required: StrictBool = False
    unit: Line | None = None
    minimum: Limit | None = None
    maximum: Limit | None = None
    choices: Annotated[list[Line], Field(max_length=200)] | None = None


class DefineField(ChangeField):
    """A field that components of one type are to have."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"component_type": "server", "name": "rack_units", "kind": "number", **EXAMPLE}]
        }
    )

    component_type: ComponentType
    name: FieldName
    kind: FieldKind


@router.post("", status_code=201)
async def define_field(body: DefineField, call: Annotated[Call, requires("group-admin")]) -> FieldDefinition:
    """Adds a field to a type of component."""
    call.caller.require_everywhere("group-admin")
    field = FieldDefinition(id=new_id(), version=1, **body.model_dump())
    return await call.run(handlers.define_field, field)


@router.get("")
async def list_fields(
    call: Annotated[Call, requires("viewer")], paging: Paging, component_type: ComponentType | None = None
) -> Page[FieldDefinition]:
    """The fields of one type of component, or of all."""
    async with call.read() as conn:
        found = await store.select_fields(conn, component_type, paging.after, paging.limit + 1)
    return paging.page(found, lambda field: field.id)


@router.get("/{field_id}")
async def get_field(field_id: Id, call: Annotated[Call, requires("viewer")]) -> FieldDefinition:
    """The field, with the ETag that its next change must name."""
    async with call.read() as conn:
        return call.tag(await store.select_field(conn, field_id))


@router.put("/{field_id}")
async def change_field(
    field_id: Id, body: ChangeField, call: Annotated[Call, requires("group-admin")], version: IfMatch
) -> FieldDefinition:
    """Changes what a field asks for, unless values that are there would break it."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.change_field, field_id, version, **body.model_dump())


@router.delete("/{field_id}")
async def delete_field(
    field_id: Id, call: Annotated[Call, requires("group-admin")], version: IfMatch
) -> FieldDefinition:
    """Takes a field away that no component has a value of; the answer shows it a last time."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.delete_field, field_id, version)
