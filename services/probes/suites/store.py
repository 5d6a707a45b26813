"""SQL of suites, of their runs, and of what is kept as evidence. Leases go by the database's clock."""

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from services.probes.suites.domain import Given, ItemRun, Leased, Suite, SuiteRun
from shared.database import Connection, found
from shared.errors import Stale
from shared.listing import fetch_page

CHANNEL = "steward_suites"

RUN_COLUMNS = tuple(SuiteRun.model_fields)
ITEM_COLUMNS = tuple(ItemRun.model_fields)


async def insert_suite(conn: Connection, suite: Suite) -> None:
    """Adds a suite."""
    await conn.execute(
        "INSERT INTO suites (id, site_id, name, purpose, summary, items, version) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        suite.id,
        suite.site_id,
        suite.name,
        suite.purpose,
        suite.summary,
        [item.model_dump(mode="json") for item in suite.items],
        suite.version,
    )


async def update_suite(conn: Connection, suite: Suite, expected_version: int) -> None:
    """Replaces all that can change. Raises Stale unless ``expected_version`` is stored."""
    updated = await conn.fetchval(
        """UPDATE suites SET name = $2, purpose = $3, summary = $4, items = $5, version = $6
           WHERE id = $1 AND version = $7 RETURNING true""",
        suite.id,
        suite.name,
        suite.purpose,
        suite.summary,
        [item.model_dump(mode="json") for item in suite.items],
        suite.version,
        expected_version,
    )
    if not updated:
        raise Stale(f"suite {suite.id} was changed by somebody else; get it again")


async def delete_suite(conn: Connection, suite_id: str, expected_version: int) -> None:
    """Deletes a suite; its runs stay. Raises Stale unless ``expected_version`` is stored."""
    deleted = await conn.fetchval(
        "DELETE FROM suites WHERE id = $1 AND version = $2 RETURNING true", suite_id, expected_version
    )
    if not deleted:
        raise Stale(f"suite {suite_id} was changed by somebody else; get it again")


async def select_suite(conn: Connection, suite_id: str) -> Suite:
    """One suite. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM suites WHERE id = $1", suite_id)
    return Suite.model_validate(dict(found(row, f"suite {suite_id}")))


async def select_suites(
    conn: Connection, visible: Collection[str] | None, after: str | None, limit: int
) -> list[Suite]:
    """Suites by id behind ``after``; ``visible`` None stands for all sites."""
    rows = await fetch_page(conn, "suites", visible, {}, after, limit)
    return [Suite.model_validate(dict(row)) for row in rows]


async def insert_run(conn: Connection, run: SuiteRun, correlation_id: str, causation_id: str | None) -> bool:
    """Adds a planned run and wakes the runners at commit; false when one of that id is there."""
    columns = (*RUN_COLUMNS, "correlation_id", "causation_id")
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    inserted = await conn.fetchval(
        f"""INSERT INTO suite_runs ({", ".join(columns)}) VALUES ({places})
            ON CONFLICT (id) DO NOTHING RETURNING true""",  # noqa: S608 -- the names are our own model's
        *(getattr(run, name) for name in RUN_COLUMNS),
        correlation_id,
        causation_id,
    )
    if inserted:
        await _wake(conn)
    return bool(inserted)


async def is_planned(conn: Connection, suite_id: str, system_id: str) -> bool:
    """Whether a run of that suite on that system has yet to begin."""
    planned = await conn.fetchval(
        "SELECT true FROM suite_runs WHERE state = 'planned' AND suite_id = $1 AND system_id = $2", suite_id, system_id
    )
    return bool(planned)


async def update_run(conn: Connection, run: SuiteRun) -> None:
    """Stores what can change about a run, which the caller has locked; wakes the runners at commit."""
    names = RUN_COLUMNS[1:]
    assignments = ", ".join(f"{name} = ${place}" for place, name in enumerate(names, start=2))
    await conn.execute(
        f"UPDATE suite_runs SET {assignments} WHERE id = $1",  # noqa: S608 -- the names are our own model's
        run.id,
        *(getattr(run, name) for name in names),
    )
    await _wake(conn)


async def postpone_run(conn: Connection, run_id: str, seconds: float) -> None:
    """Lets a planned run wait."""
    await conn.execute(
        "UPDATE suite_runs SET next_try = clock_timestamp() + make_interval(secs => $2) WHERE id = $1", run_id, seconds
    )


async def select_run(conn: Connection, run_id: str) -> SuiteRun:
    """One run. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM suite_runs WHERE id = $1", run_id)
    return _run(found(row, f"suite run {run_id}"))


async def lock_run(conn: Connection, run_id: str) -> SuiteRun:
    """One run, held against others until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM suite_runs WHERE id = $1 FOR UPDATE", run_id)
    return _run(found(row, f"suite run {run_id}"))


async def lock_planned_run(conn: Connection) -> SuiteRun | None:
    """The oldest run to begin that nobody else is at."""
    row = await conn.fetchrow(
        """SELECT * FROM suite_runs WHERE state = 'planned' AND next_try <= now()
           ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED"""
    )
    return _run(row) if row else None


async def lock_overdue_run(conn: Connection) -> SuiteRun | None:
    """A running one whose time is over, that nobody else is at."""
    row = await conn.fetchrow(
        """SELECT * FROM suite_runs WHERE state = 'running' AND deadline <= now()
           ORDER BY deadline LIMIT 1 FOR UPDATE SKIP LOCKED"""
    )
    return _run(row) if row else None


async def select_flow(conn: Connection, run_id: str) -> tuple[str, str | None]:
    """The correlation id of a run and the event that caused it."""
    row = await conn.fetchrow("SELECT correlation_id, causation_id FROM suite_runs WHERE id = $1", run_id)
    row = found(row, f"suite run {run_id}")
    return row["correlation_id"], row["causation_id"]


async def select_runs(
    conn: Connection,
    visible: Collection[str] | None,
    system_id: str | None,
    suite_id: str | None,
    before: str | None,
    limit: int,
) -> list[SuiteRun]:
    """Runs, the latest id first, behind ``before``; ``visible`` None stands for all sites."""
    wanted = {"system_id": system_id, "suite_id": suite_id}
    rows = await fetch_page(conn, "suite_runs", visible, wanted, before, limit, latest_first=True)
    return [_run(row) for row in rows]


async def insert_items(conn: Connection, run_id: str, items: Sequence[ItemRun]) -> None:
    """Adds the items of a run."""
    columns = ("run_id", *ITEM_COLUMNS)
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    await conn.executemany(
        f"INSERT INTO suite_items ({', '.join(columns)}) VALUES ({places})",  # noqa: S608 -- the names are our own
        [[run_id, *_values(item)] for item in items],
    )


async def select_items(conn: Connection, run_id: str) -> list[ItemRun]:
    """The items of a run, in their order."""
    rows = await conn.fetch("SELECT * FROM suite_items WHERE run_id = $1 ORDER BY position", run_id)
    return [_item(row) for row in rows]


async def lease_items(conn: Connection, lease: str, slack: float, limit: int, loaded: Collection[str]) -> list[Leased]:
    """Takes up to ``limit`` items that are free, for their time-out and ``slack`` seconds.

    Of heavy ones a system gets one at a time, and those that are ``loaded`` otherwise get none.
    """
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('probes suite items', 0))")
    rows = await conn.fetch(
        """WITH free AS (
               SELECT i.run_id, i.position, r.site_id, r.system_id, r.requested_at, i.is_heavy,
                      row_number() OVER (PARTITION BY r.system_id, i.is_heavy ORDER BY r.requested_at, i.position)
                          AS nth
               FROM suite_items i JOIN suite_runs r ON r.id = i.run_id
               WHERE r.state = 'running' AND r.deadline > now() AND i.vantage IS NULL
                 AND (i.state = 'planned' OR (i.state = 'leased' AND i.leased_until <= now()))
                 AND NOT (i.is_heavy AND r.system_id = ANY($4))
                 AND NOT (i.is_heavy AND EXISTS (
                     SELECT 1 FROM suite_items o JOIN suite_runs s ON s.id = o.run_id
                     WHERE s.system_id = r.system_id AND o.is_heavy AND o.state = 'leased' AND o.leased_until > now())))
           UPDATE suite_items AS item
           SET state = 'leased', lease = $1, attempts = attempts + 1, started_at = now(),
               leased_until = now() + make_interval(secs => item.timeout_seconds + $2)
           FROM (SELECT * FROM free WHERE NOT is_heavy OR nth = 1 ORDER BY requested_at, position LIMIT $3) AS taken
           WHERE item.run_id = taken.run_id AND item.position = taken.position
           RETURNING item.*, taken.site_id, taken.system_id""",
        lease,
        slack,
        limit,
        list(loaded),
    )
    return [Leased(row["run_id"], row["site_id"], row["system_id"], _item(row), lease) for row in rows]


async def select_items_of_vantage(conn: Connection, vantage: str) -> list[Given]:
    """The items that are left to an agent and have time, the oldest run's first."""
    rows = await conn.fetch(
        """SELECT i.*, r.site_id, r.system_id, r.deadline FROM suite_items i JOIN suite_runs r ON r.id = i.run_id
           WHERE i.vantage = $1 AND i.state <> 'done' AND r.state = 'running' AND r.deadline > now()
           ORDER BY r.requested_at, i.run_id, i.position""",
        vantage,
    )
    return [
        Given(Leased(row["run_id"], row["site_id"], row["system_id"], _item(row), None), row["deadline"])
        for row in rows
    ]


async def select_item_of_vantage(conn: Connection, vantage: str, run_id: str, position: int) -> Leased | None:
    """An item that is, or was, left to an agent; None where there is none of that key."""
    row = await conn.fetchrow(
        """SELECT i.*, r.site_id, r.system_id FROM suite_items i JOIN suite_runs r ON r.id = i.run_id
           WHERE i.vantage = $1 AND i.run_id = $2 AND i.position = $3""",
        vantage,
        run_id,
        position,
    )
    return Leased(row["run_id"], row["site_id"], row["system_id"], _item(row), None) if row else None


async def end_lease(conn: Connection, leased: Leased, item: ItemRun) -> bool:
    """Stores what came of an item; false when it is no longer ours."""
    names = ITEM_COLUMNS[1:]
    assignments = ", ".join(f"{name} = ${place}" for place, name in enumerate(names, start=4))
    held = await conn.fetchval(
        f"""UPDATE suite_items SET {assignments}, lease = NULL, leased_until = NULL
            WHERE run_id = $1 AND position = $2 AND lease IS NOT DISTINCT FROM $3 AND state <> 'done'
            RETURNING true""",  # noqa: S608 -- the names are our own model's
        leased.run_id,
        leased.item.position,
        leased.lease,
        *_values(item)[1:],
    )
    return bool(held)


async def give_back(conn: Connection, leased: Leased) -> None:
    """Lets another runner take the item at once, as if it had not been begun."""
    await conn.execute(
        """UPDATE suite_items SET state = 'planned', lease = NULL, leased_until = NULL, attempts = attempts - 1
           WHERE run_id = $1 AND position = $2 AND lease = $3 AND state = 'leased'""",
        leased.run_id,
        leased.item.position,
        leased.lease,
    )
    await _wake(conn)


async def end_undone(conn: Connection, run_id: str, items: Sequence[ItemRun]) -> None:
    """Stores the end of items that nobody will end."""
    await conn.executemany(
        """UPDATE suite_items SET state = 'done', verdict = $3, failure = $4, detail = $5, finished_at = $6,
                  lease = NULL, leased_until = NULL
           WHERE run_id = $1 AND position = $2""",
        [[run_id, item.position, item.verdict, item.failure, item.detail, item.finished_at] for item in items],
    )


async def select_seconds_until_due(conn: Connection) -> float | None:
    """Seconds until a run can begin or is over, or a lease ends; None when nothing is undone."""
    seconds: float | None = await conn.fetchval(
        """SELECT extract(epoch FROM min(due) - clock_timestamp())::float8 FROM (
               SELECT CASE state WHEN 'planned' THEN next_try ELSE deadline END AS due
               FROM suite_runs WHERE state <> 'done'
               UNION ALL SELECT leased_until FROM suite_items WHERE state = 'leased') AS undone"""
    )
    return seconds


async def delete_runs_before(conn: Connection, instant: datetime, limit: int) -> None:
    """Forgets runs that ended before, with their items and their evidence, the oldest first, at most so many."""
    rows = await conn.fetch(
        "SELECT id FROM suite_runs WHERE state = 'done' AND finished_at < $1 ORDER BY finished_at LIMIT $2",
        instant,
        limit,
    )
    old = [row["id"] for row in rows]
    # Evidence and report of a run name the run, so that no other has the same.
    await conn.execute(
        """DELETE FROM evidence WHERE sha256 IN (
               SELECT evidence FROM suite_items WHERE run_id = ANY($1)
               UNION ALL SELECT report FROM suite_runs WHERE id = ANY($1))""",
        old,
    )
    await conn.execute("DELETE FROM suite_items WHERE run_id = ANY($1)", old)
    await conn.execute("DELETE FROM suite_runs WHERE id = ANY($1)", old)


async def insert_evidence(conn: Connection, sha256: str, content: bytes) -> None:
    """Keeps what was seen, JSON, under its SHA-256; what is there stays."""
    await conn.execute(
        "INSERT INTO evidence (sha256, media_type, content) VALUES ($1, 'application/json', $2) ON CONFLICT DO NOTHING",
        sha256,
        content,
    )


async def select_evidence(conn: Connection, run_id: str, sha256: str) -> bytes:
    """What is kept under that SHA-256, where it belongs to the run. Raises NotFound."""
    row = await conn.fetchrow(
        """SELECT content FROM evidence WHERE sha256 = $2
               AND (EXISTS (SELECT 1 FROM suite_items WHERE run_id = $1 AND evidence = $2)
                    OR EXISTS (SELECT 1 FROM suite_runs WHERE id = $1 AND report = $2))""",
        run_id,
        sha256,
    )
    content: bytes = found(row, f"evidence {sha256}")["content"]
    return content


async def _wake(conn: Connection) -> None:
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


def _values(item: ItemRun) -> list[object]:
    kept = item.model_copy(update={"expectation": item.expectation.model_dump(mode="json")})
    return [getattr(kept, name) for name in ITEM_COLUMNS]


def _run(row: asyncpg.Record) -> SuiteRun:
    return SuiteRun.model_validate(dict(row))


def _item(row: asyncpg.Record) -> ItemRun:
    return ItemRun.model_validate(dict(row))
