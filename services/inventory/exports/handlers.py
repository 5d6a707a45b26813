"""What is exported, as files of their own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import chain
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

import asyncpg

from services.inventory.exports import store
from services.inventory.exports.cells import Column
from services.inventory.exports.columns import COLUMNS, FIELD, ONLY_TOLD, START, field_column
from services.inventory.exports.writer import Format, open_sheet
from shared.database import Connection

KINDS = (*COLUMNS, *ONLY_TOLD)
BATCH = 1_000

Visible = frozenset[str] | None
"""The sites of who asks; None stands for all."""


async def write_export(conn: Connection, kind: str, format: Format, visible: Visible, file: IO[bytes]) -> None:
    """Writes all things of a kind that are visible. The transaction of ``conn`` shows one moment."""
    columns = await columns_of(conn, kind)
    sheet = await asyncio.to_thread(open_sheet, format, file, columns)
    async for batch in _batches(store.select_rows(conn, kind, visible, BATCH)):
        await asyncio.to_thread(sheet.add, [_values(columns, row) for row in batch])
    await asyncio.to_thread(sheet.close)


async def write_all(conn: Connection, visible: Visible, file: IO[bytes]) -> None:
    """Writes a ZIP with one CSV for each kind, all of the same moment."""
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for kind in KINDS:
            with archive.open(f"{kind}.csv", "w", force_zip64=True) as entry:
                await write_export(conn, kind, "csv", visible, entry)


async def columns_of(conn: Connection, kind: str) -> Sequence[Column]:
    """The columns of a kind; for components, one for each custom field too."""
    own = [one for one in chain(COLUMNS.get(kind, ()), ONLY_TOLD.get(kind, ())) if not one.name.startswith(START)]
    if kind != "components":
        return tuple(own)
    return (*own, *(field_column(name) for name in await store.select_field_names(conn)))


async def find_things(conn: Connection, kind: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Those of these things that there are, by id: a value for each column, and ``_version``."""
    return await store.select_things(conn, kind, ids)


def _values(columns: Sequence[Column], row: asyncpg.Record) -> list[Any]:
    return [
        row["fields"].get(column.name.removeprefix(FIELD)) if column.name.startswith(FIELD) else row[column.name]
        for column in columns
    ]


async def _batches(rows: AsyncIterator[asyncpg.Record]) -> AsyncIterator[list[asyncpg.Record]]:
    batch: list[asyncpg.Record] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
