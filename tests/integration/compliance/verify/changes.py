"""Random changes to the rows of a log: fields, rows, and rows among each other; and which entries each one touches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, TypeAlias

import asyncpg

from services.compliance.log.bundle import NotABundle, unpack
from tests.integration.compliance.verify.stored import PARTITION

Conn: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Row = Mapping[str, Any]
Place = tuple[int, int]

KEYS: dict[str, tuple[str, ...]] = {
    "head": (),
    "chunks": ("start",),
    "subtrees": ("level", "number"),
    "sites": ("number",),
    "types": ("number",),
    "events": ("index",),
    "mentions": ("index",),
    "days": ("day", "site", "type"),
    "partitions": ("number",),
    "manifests": ("size",),
    "checkpoints": ("size",),
    "cosignatures": ("size", "witness"),
}
"""The tables, and by what their rows are told apart."""

UNRECORDED = {("head", name) for name in ("single", "epoch", "holder", "leased_until")} | {
    ("checkpoints", "published_at")
}
"""What says nothing about the log: who writes it, and when a checkpoint was shown."""

PACKED = {("head", "tail"), ("chunks", "body"), ("manifests", "lines")}


@dataclass(frozen=True, slots=True)
class Changed:
    """What was changed, the entries that it touches, and words by one of which it may be named instead."""

    what: str
    places: Sequence[Place]
    words: Sequence[str]


class Undone(Exception):
    """The change made no difference."""


def span_of(table: str, row: Row) -> list[Place]:
    """The entries that a row tells of."""
    if table == "chunks":
        return [(row["start"], row["start"] + 64)]
    if table == "subtrees":
        width = 256 ** row["level"]
        return [(row["number"] * width, (row["number"] + 1) * width)]
    if table in ("events", "mentions"):
        return [(row["index"], row["index"] + 1)]
    if table == "partitions":
        return [(row["number"] * PARTITION, (row["number"] + 1) * PARTITION)]
    if table in ("manifests", "checkpoints", "cosignatures"):
        return [(row["size"] - 1, row["size"])]
    if table == "head":
        return [(row["size"] - row["size"] % 64, row["size"] + 1)]
    return []


async def places_of(conn: Conn, table: str, row: Row) -> list[Place]:
    """The entries that a row tells of, also those that only the index knows to be of its site or type."""
    if table in ("sites", "types"):
        column = table[:-1]
        rows = await conn.fetch(f"SELECT index FROM events WHERE {column} = $1", row["number"])
        return [(found["index"], found["index"] + 1) for found in rows]
    return span_of(table, row)


def words_of(table: str, row: Row) -> list[str]:
    """How a fault that concerns no single entry may name the row."""
    names = {"sites": "site_id", "types": "type", "days": "day", "cosignatures": "witness"}
    return [str(row[names[table]])] if table in names else ["the head"] if table == "head" else []


def other(random: Random, value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, datetime):
        return value + random.choice([timedelta(microseconds=1), -timedelta(microseconds=1), timedelta(days=400)])
    if isinstance(value, date):
        return value + timedelta(random.choice([-1, 1, 300]))
    if isinstance(value, int):
        return random.choice([value + 1, value - 1, value ^ 1 << random.randrange(15), -value, 0, value * 2])
    if isinstance(value, str):
        at = random.randrange(len(value))
        return random.choice([value[:at] + chr(33 + random.randrange(90)) + value[at + 1 :], value[:at], value + "x"])
    if isinstance(value, bytes) and value:
        at = random.randrange(len(value))
        flipped = value[:at] + bytes([value[at] ^ 1 << random.randrange(8)]) + value[at + 1 :]
        return random.choice([flipped, flipped, value[:at], value + random.randbytes(3)])
    raise Undone


def is_same(table: str, column: str, old: Any, new: Any) -> bool:
    """Whether a field says the same as before; what is packed may be packed differently."""
    if old == new or (table, column) not in PACKED:
        return bool(old == new)
    try:
        return unpack(old) == unpack(new)
    except NotABundle:
        return False


async def pick(random: Random, conn: Conn, table: str) -> Row:
    """A row of the table, with where it lies."""
    rows = await conn.fetch(f"SELECT tableoid, ctid, * FROM {table}")
    return dict(random.choice(sorted(rows, key=lambda row: (row["tableoid"], row["ctid"]))))


def fields_of(table: str, row: Row) -> list[str]:
    """The columns that tell of the log."""
    return [name for name in row if name not in ("tableoid", "ctid") and (table, name) not in UNRECORDED]


async def update(conn: Conn, table: str, row: Row, values: Mapping[str, Any]) -> None:
    """Gives a row other values."""
    assignments = ", ".join(f"{name} = ${number}" for number, name in enumerate(values, start=3))
    statement = f"UPDATE {table} SET {assignments} WHERE tableoid = $1 AND ctid = $2"
    await conn.execute(statement, row["tableoid"], row["ctid"], *values.values())


async def change_field(random: Random, conn: Conn, table: str) -> Changed:
    """One field has another value."""
    row = await pick(random, conn, table)
    name = random.choice(fields_of(table, row))
    value = other(random, row[name])
    if is_same(table, name, row[name], value):
        raise Undone
    places = await places_of(conn, table, row)
    await update(conn, table, row, {name: value})
    after = {**row, name: value}
    touched = [*places, *await places_of(conn, table, after)]
    both_words = [*words_of(table, row), *words_of(table, after)]
    what = f"{table}.{name} of {key_of(table, row)}: {row[name]!r:.60} is {value!r:.60}"
    return Changed(what, anywhere(touched) if table == "head" else touched, both_words)


def anywhere(places: Sequence[Place]) -> list[Place]:
    """What the head says concerns all that comes after the smaller size, and how all of it is divided."""
    return [(0, 2**62)] if places else []


def key_of(table: str, row: Row) -> list[Any]:
    """What a row is told apart by."""
    return [row[name] for name in KEYS[table]]


async def delete_row(random: Random, conn: Conn, table: str) -> Changed:
    """A row is gone."""
    if table in ("head", "checkpoints", "cosignatures"):
        raise Undone
    row = await pick(random, conn, table)
    places = await places_of(conn, table, row)
    await conn.execute(f"DELETE FROM {table} WHERE tableoid = $1 AND ctid = $2", row["tableoid"], row["ctid"])
    return Changed(f"{table} without {key_of(table, row)}", places, words_of(table, row))


async def insert_row(random: Random, conn: Conn, table: str) -> Changed:
    """A row stands once more, where the table allows it unchanged, or else under another key."""
    if table == "head":
        raise Undone
    row = await pick(random, conn, table)
    values = {name: row[name] for name in row if name not in ("tableoid", "ctid")}
    if table not in ("events", "mentions") or random.random() < 0.7:
        name = random.choice(KEYS[table])
        values[name] = other(random, values[name])
    if table in ("sites", "types"):
        unique = "site_id" if table == "sites" else "type"
        values[unique] += "-too"
    numbers = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await conn.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({numbers})", *values.values())
    return Changed(f"{table} also with {key_of(table, values)}", span_of(table, values), words_of(table, values))


async def exchange_rows(random: Random, conn: Conn, table: str) -> Changed:
    """Two rows have changed places, or the values of one field."""
    one, two = await pick(random, conn, table), await pick(random, conn, table)
    names = [name for name in fields_of(table, one) if name not in KEYS[table] and name not in ("site_id", "type")]
    if not names:
        raise Undone
    if random.random() < 0.5:
        names = [random.choice(names)]
    if all(is_same(table, name, one[name], two[name]) for name in names):
        raise Undone
    places = [*await places_of(conn, table, one), *await places_of(conn, table, two)]
    await update(conn, table, one, {name: two[name] for name in names})
    await update(conn, table, two, {name: one[name] for name in names})
    what = f"{table}: {names} of {key_of(table, one)} and {key_of(table, two)} exchanged"
    return Changed(what, places, [*words_of(table, one), *words_of(table, two)])


Change = Callable[[Random, Conn, str], Any]
CHANGES: tuple[Change, ...] = (change_field, change_field, change_field, delete_row, insert_row, exchange_rows)


async def change_something(random: Random, conn: Conn) -> Changed:
    """Changes something that the tables let be changed, in the open transaction."""
    await conn.execute("SET LOCAL session_replication_role = replica")
    while True:
        table, change = random.choice(list(KEYS)), random.choice(CHANGES)
        try:
            async with conn.transaction():
                changed: Changed = await change(random, conn, table)
                return changed
        except (Undone, asyncpg.PostgresError, asyncpg.DataError, OverflowError):
            continue
