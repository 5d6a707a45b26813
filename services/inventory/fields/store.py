"""SQL of custom fields: their definitions, and how many components have a value of one."""

from collections.abc import Collection

import asyncpg

from services.inventory.fields.domain import FieldDefinition
from services.inventory.lifecycle.domain import FINAL
from shared.database import Connection, found
from shared.errors import Conflict
from shared.events.inventory import ComponentType

COLUMNS = (
    *("id", "component_type", "name", "label", "kind", "required"),
    *("unit", "minimum", "maximum", "choices", "version"),
)


async def insert_field(conn: Connection, field: FieldDefinition) -> None:
    """Adds a definition. Raises Conflict when the type has a field of that name."""
    values = field.model_dump()
    try:
        await conn.execute(
            f"INSERT INTO component_fields ({', '.join(COLUMNS)}) "  # noqa: S608 -- our own names
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            *(values[name] for name in COLUMNS),
        )
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(f"a {field.component_type} has a field {field.name} already") from exc


async def update_field(conn: Connection, field: FieldDefinition) -> None:
    """Replaces what can change about a definition."""
    await conn.execute(
        """UPDATE component_fields SET label = $2, required = $3, unit = $4, minimum = $5, maximum = $6, choices = $7,
                                       version = $8
           WHERE id = $1""",
        field.id,
        field.label,
        field.required,
        field.unit,
        field.minimum,
        field.maximum,
        field.choices,
        field.version,
    )


async def delete_field(conn: Connection, field_id: str) -> None:
    """Takes a definition away."""
    await conn.execute("DELETE FROM component_fields WHERE id = $1", field_id)


async def select_field(conn: Connection, field_id: str) -> FieldDefinition:
    """One definition. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM component_fields WHERE id = $1", field_id)
    return FieldDefinition.model_validate(dict(found(row, f"field {field_id}")))


async def lock_field(conn: Connection, field_id: str) -> FieldDefinition:
    """One definition; while it is locked, nobody stores a value of it. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM component_fields WHERE id = $1 FOR UPDATE", field_id)
    return FieldDefinition.model_validate(dict(found(row, f"field {field_id}")))


async def select_fields(
    conn: Connection, component_type: ComponentType | None, after: str | None, limit: int | None
) -> list[FieldDefinition]:
    """Definitions of one type or of all, by id behind ``after``; without a ``limit`` all."""
    rows = await conn.fetch(
        """SELECT * FROM component_fields
           WHERE ($1::text IS NULL OR component_type = $1) AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3""",
        component_type,
        after,
        limit,
    )
    return [FieldDefinition.model_validate(dict(row)) for row in rows]


async def hold_fields(conn: Connection, types: Collection[ComponentType]) -> list[FieldDefinition]:
    """The definitions of these types, which stay as they are until the transaction ends."""
    rows = await conn.fetch(
        "SELECT * FROM component_fields WHERE component_type = ANY($1) ORDER BY id FOR SHARE", list(types)
    )
    return [FieldDefinition.model_validate(dict(row)) for row in rows]


async def count_values(conn: Connection, field: FieldDefinition) -> int:
    """How many components that live have a value of the field."""
    return await _count(conn, field, "true")


async def count_broken(conn: Connection, field: FieldDefinition) -> int:
    """How many components that live have a value that the definition does not allow."""
    if field.kind == "choice":
        return await _count(conn, field, "NOT fields->>$2 = ANY($4::text[])", field.choices)
    if field.kind == "number":
        outside = "NOT (fields->>$2)::float8 BETWEEN coalesce($4, '-inf'::float8) AND coalesce($5, 'inf'::float8)"
        return await _count(conn, field, outside, field.minimum, field.maximum)
    return 0


async def _count(conn: Connection, field: FieldDefinition, condition: str, *values: object) -> int:
    counted: int = await conn.fetchval(
        f"""SELECT count(*) FROM components
            WHERE type = $1 AND fields ? $2 AND state <> ALL($3::text[]) AND {condition}""",  # noqa: S608 -- ours
        field.component_type,
        field.name,
        list(FINAL),
        *values,
    )
    return counted
