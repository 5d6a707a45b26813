"""SQL of retention: policies, holds, the partitions of the log and where each of them is on its way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.compliance.retention.domain import Hold, Partition, Policy, State
from shared.database import Connection, found
from shared.errors import Conflict, Stale

POLICY = "id, site_id, type, days, reason, version"
HOLD = """id, site_id, type, subject, from_time, to_time, reason, placed_by, placed_at, released_by, released_at,
    release_reason, version"""
ARCHIVE = "partition, state, asked_by, correlation_id, location, root, restored_until, fault"


@dataclass(frozen=True, slots=True)
class Archive:
    """A partition on its way out or back. ``root`` is the RFC 6962 root over its own entries."""

    partition: int
    state: State
    asked_by: str
    correlation_id: str
    location: str | None
    root: bytes | None
    restored_until: datetime | None
    fault: str | None


async def select_sites(conn: Connection) -> set[str]:
    """All sites of which the log has, or had, entries."""
    return {row["site_id"] for row in await conn.fetch("SELECT site_id FROM sites")}


async def select_types(conn: Connection) -> set[str]:
    """All types of entries that the log has, or had."""
    return {row["type"] for row in await conn.fetch("SELECT type FROM types")}


async def has_partition(conn: Connection, number: int) -> bool:
    """Whether the log has ever come as far."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM partitions WHERE number = $1)", number))


async def insert_policy(conn: Connection, policy: Policy) -> None:
    """Adds a policy. Raises Conflict where there is one for that site and type."""
    added = await conn.fetchval(
        f"""INSERT INTO retention_policies ({POLICY}) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT DO NOTHING RETURNING true""",  # noqa: S608 -- our columns
        *_values(policy, POLICY),
    )
    if not added:
        raise Conflict("there is a policy for this site and type; change that one")


async def update_policy(conn: Connection, policy: Policy, expected_version: int) -> None:
    """Stores how long it says now. Raises Stale."""
    changed = await conn.fetchval(
        """UPDATE retention_policies SET days = $2, reason = $3, version = $4
           WHERE id = $1 AND version = $5 RETURNING true""",
        policy.id,
        policy.days,
        policy.reason,
        policy.version,
        expected_version,
    )
    if not changed:
        raise Stale(f"policy {policy.id} was changed by somebody else; get it again")


async def delete_policy(conn: Connection, policy_id: str, expected_version: int) -> None:
    """Takes a policy away. Raises Stale."""
    gone = await conn.fetchval(
        "DELETE FROM retention_policies WHERE id = $1 AND version = $2 RETURNING true", policy_id, expected_version
    )
    if not gone:
        raise Stale(f"policy {policy_id} was changed by somebody else; get it again")


async def select_policy(conn: Connection, policy_id: str) -> Policy:
    """One policy. Raises NotFound."""
    row = await conn.fetchrow(f"SELECT {POLICY} FROM retention_policies WHERE id = $1", policy_id)  # noqa: S608 -- our columns
    return Policy.model_validate(dict(found(row, f"policy {policy_id}")))


async def select_policies(conn: Connection) -> list[Policy]:
    """All policies, in the order in which they were made."""
    rows = await conn.fetch(f"SELECT {POLICY} FROM retention_policies ORDER BY id")  # noqa: S608 -- our columns
    return [Policy.model_validate(dict(row)) for row in rows]


async def insert_hold(conn: Connection, hold: Hold) -> None:
    """Adds a hold."""
    places = ", ".join(f"${place}" for place in range(1, 14))
    await conn.execute(f"INSERT INTO legal_holds ({HOLD}) VALUES ({places})", *_values(hold, HOLD))  # noqa: S608 -- our columns


async def update_release(conn: Connection, hold: Hold, expected_version: int) -> None:
    """Stores that a hold is released. Raises Stale."""
    released = await conn.fetchval(
        """UPDATE legal_holds SET released_by = $2, released_at = $3, release_reason = $4, version = $5
           WHERE id = $1 AND version = $6 RETURNING true""",
        hold.id,
        hold.released_by,
        hold.released_at,
        hold.release_reason,
        hold.version,
        expected_version,
    )
    if not released:
        raise Stale(f"hold {hold.id} was changed by somebody else; get it again")


async def select_hold(conn: Connection, hold_id: str) -> Hold:
    """One hold. Raises NotFound."""
    row = await conn.fetchrow(f"SELECT {HOLD} FROM legal_holds WHERE id = $1", hold_id)  # noqa: S608 -- our columns
    return Hold.model_validate(dict(found(row, f"hold {hold_id}")))


async def select_holds(conn: Connection) -> list[Hold]:
    """All holds, released ones too, in the order in which they were placed."""
    rows = await conn.fetch(f"SELECT {HOLD} FROM legal_holds ORDER BY id")  # noqa: S608 -- our columns
    return [Hold.model_validate(dict(row)) for row in rows]


async def lock_holds(conn: Connection) -> None:
    """From now on to the end of this transaction no hold is placed or released."""
    await conn.execute("LOCK TABLE legal_holds IN SHARE ROW EXCLUSIVE MODE")


def _values(resource: Policy | Hold, columns: str) -> list[object]:
    return [getattr(resource, column.strip()) for column in columns.split(",")]


async def try_lock(conn: Connection) -> bool:
    """Whether this session is the one that moves partitions; it stays so until it ends."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_lock(hashtextextended('steward retention', 0))"))


async def see_all_sites(conn: Connection) -> None:
    """To the end of this transaction, the index shows every site."""
    await conn.execute("SELECT set_config('steward.sites', '*', true)")


async def select_partitions(conn: Connection, wanted: Sequence[int] | None = None) -> list[Partition]:
    """The partitions of the log, or those of ``wanted``, by number, each with what occurs in it."""
    rows = await conn.fetch(
        """SELECT p.number, head.partition_entries AS width, head.size, p.first_time, p.last_time, p.last_recorded,
                  coalesce(a.state, 'kept') AS state
           FROM partitions p CROSS JOIN head LEFT JOIN archives a ON a.partition = p.number
           WHERE ($1::bigint[] IS NULL OR p.number = ANY($1)) ORDER BY p.number""",
        wanted,
    )
    return [
        Partition(
            number=row["number"],
            start=row["number"] * row["width"],
            end=min((row["number"] + 1) * row["width"], row["size"]),
            complete=row["size"] >= (row["number"] + 1) * row["width"],
            first_time=row["first_time"],
            last_time=row["last_time"],
            last_recorded=row["last_recorded"],
            kinds=await _select_kinds(conn, row["number"] * row["width"], (row["number"] + 1) * row["width"]),
            held=await _select_held(conn, row["number"] * row["width"], (row["number"] + 1) * row["width"]),
            state=row["state"],
        )
        for row in rows
    ]


async def _select_kinds(conn: Connection, start: int, end: int) -> frozenset[tuple[str, str]]:
    rows = await conn.fetch("SELECT site_id, type FROM kinds_between($1, $2)", start, end)
    return frozenset((row["site_id"], row["type"]) for row in rows)


async def _select_held(conn: Connection, start: int, end: int) -> frozenset[str]:
    rows = await conn.fetch("SELECT held_between($1, $2) AS subject", start, end)
    return frozenset(row["subject"] for row in rows)


async def insert_plan(conn: Connection, partition: int, asked_by: str, now: datetime, correlation_id: str) -> None:
    """Has a partition pruned. One that halted on its way is taken up again."""
    await conn.execute(
        """INSERT INTO archives (partition, state, asked_by, asked_at, correlation_id)
           VALUES ($1, 'planned', $2, $3, $4)
           ON CONFLICT (partition) DO UPDATE
           SET asked_by = excluded.asked_by, asked_at = excluded.asked_at, correlation_id = excluded.correlation_id,
               fault = NULL
           WHERE archives.state IN ('planned', 'archived')""",
        partition,
        asked_by,
        now,
        correlation_id,
    )


async def update_restoring(conn: Connection, partition: int, until: datetime, correlation_id: str) -> bool:
    """Has a pruned partition brought back, or one that is back kept for longer; says whether it is either."""
    return bool(
        await conn.fetchval(
            """UPDATE archives SET state = CASE state WHEN 'restored' THEN state ELSE 'restoring' END,
                      restored_until = $2, correlation_id = $3, fault = NULL
               WHERE partition = $1 AND state IN ('pruned', 'restoring', 'restored') RETURNING true""",
            partition,
            until,
            correlation_id,
        )
    )


async def select_next(conn: Connection, now: datetime) -> Archive | None:
    """The next partition that has a way to go and did not halt."""
    row = await conn.fetchrow(
        f"""SELECT {ARCHIVE} FROM archives
            WHERE fault IS NULL AND (state IN ('planned', 'archived', 'restoring')
                                     OR (state = 'restored' AND restored_until <= $1))
            ORDER BY partition LIMIT 1""",  # noqa: S608 -- our columns
        now,
    )
    return None if row is None else Archive(*row)


async def select_archives(conn: Connection) -> dict[int, Archive]:
    """All partitions that ever were to leave, by number."""
    rows = await conn.fetch(f"SELECT {ARCHIVE} FROM archives")  # noqa: S608 -- our columns
    return {row["partition"]: Archive(*row) for row in rows}


async def update_archived(conn: Connection, partition: int, location: str, root: bytes) -> None:
    """Stores where a partition now is besides."""
    await conn.execute(
        "UPDATE archives SET state = 'archived', location = $2, root = $3 WHERE partition = $1",
        partition,
        location,
        root,
    )


async def update_restored(conn: Connection, partition: int) -> None:
    """Stores that a partition can be searched again."""
    await conn.execute("UPDATE archives SET state = 'restored' WHERE partition = $1", partition)


async def update_fault(conn: Connection, partition: int, fault: str | None) -> None:
    """Halts a partition on its way until somebody asks again."""
    await conn.execute("UPDATE archives SET fault = $2 WHERE partition = $1", partition, fault)


async def prune(conn: Connection, partition: int) -> None:
    """Drops a partition; the database refuses one that may not go."""
    await conn.execute("SET LOCAL lock_timeout = '5s'")
    await conn.execute("SELECT prune_partition($1)", partition)


async def reopen(conn: Connection, partition: int) -> None:
    """Makes room for the entries of a pruned partition."""
    await conn.execute("SELECT reopen_partition($1)", partition)


async def select_bytes(conn: Connection, partition: int) -> int:
    """How much of the disk a partition takes, indexes and all."""
    size: int = await conn.fetchval(
        """SELECT coalesce(sum(pg_total_relation_size(to_regclass(format('%I', part || '_' || $1::bigint)))), 0)::bigint
           FROM unnest(ARRAY['chunks', 'events', 'mentions']) AS part""",
        partition,
    )
    return size
