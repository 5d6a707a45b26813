"""SQL of KPIs: sums of sums, by probe and period."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import asyncpg

from services.probes.kpis.availability import Account
from services.probes.kpis.domain import Known, Selection, Source
from services.probes.kpis.forecast import DailyFill
from services.probes.kpis.sketch import Values
from services.probes.kpis.steps import DAY, NOON, Period, Steps
from shared.database import Connection
from shared.events.probes import Outcome

CHOSEN = """($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR site_id = $2)
    AND ($3::text IS NULL OR system_id = $3) AND ($4::text IS NULL OR subject = $4)
    AND ($5::text IS NULL OR kind = $5) AND ($6::text IS NULL OR probe_id = $6)
    AND ($7::text IS NULL OR probe_id > $7) AND ($8::text IS NULL OR $8 = ANY(measures))"""
TABLES: Mapping[Source, str] = {"5m": "rollups_5m", "1h": "rollups_1h"}
SEEN: Mapping[Source, str] = {
    "results": "EXISTS (SELECT FROM results r WHERE r.probe_id = h.probe_id AND r.due_at >= $9 AND r.due_at < $10)",
    "5m": "EXISTS (SELECT FROM rollups_5m r WHERE r.probe = h.number AND r.starts_at >= $9 AND r.starts_at < $10)",
    "1h": "EXISTS (SELECT FROM rollups_1h r WHERE r.probe = h.number AND r.starts_at >= $9 AND r.starts_at < $10)",
}
ACCOUNT = tuple(field.name for field in fields(Account))
ROWS_AT_ONCE = 200
"""How many rows are taken from the database at a time: between them other requests and probes have their turn."""

OUTCOMES: tuple[Outcome, ...] = ("ok", "degraded", "failed", "probe_error", "skipped")
EPOCH = "'1970-01-01 00:00:00+00'"
SUMS = """sum((part ->> 0)::bigint)::bigint AS count, sum((part ->> 1)::double precision) AS sum,
    min((part ->> 2)::double precision) AS least, max((part ->> 3)::double precision) AS greatest"""


@dataclass(frozen=True)
class Chosen:
    """A probe and its number in the sums."""

    number: int
    probe: Known


@dataclass(frozen=True)
class Marks:
    """Since when there are results, and up to when there are sums."""

    results_since: datetime
    rolled: datetime


async def select_marks(conn: Connection) -> Marks:
    """What there is to ask for."""
    row = await conn.fetchrow(
        """SELECT (SELECT min(starts_at) FROM partitions WHERE parent = 'results') AS since,
                  (SELECT at FROM rollup_marks WHERE name = 'rolled') AS rolled"""
    )
    assert row is not None  # noqa: S101 -- a SELECT without FROM has a row
    return Marks(row["since"], row["rolled"])


@dataclass(frozen=True)
class ProbePage:
    """Probes with sums (results, where that is the source) in a period, that ever had values of a measure."""

    steps: Steps
    measure: str | None
    after: str | None
    limit: int


async def select_probes(conn: Connection, selection: Selection, page: ProbePage) -> list[Chosen]:
    """The probes behind ``after``, by their ids."""
    rows = await conn.fetch(
        f"""SELECT * FROM histories h WHERE {CHOSEN} AND {SEEN[page.steps.source]} ORDER BY probe_id LIMIT $11""",  # noqa: S608 -- constants
        *_chosen(selection, page.after, page.measure, page.steps.period),
        page.limit,
    )
    return [Chosen(row["number"], Known(**{name: row[name] for name in Known.model_fields})) for row in rows]


async def select_accounts(conn: Connection, numbers: Collection[int], steps: Steps) -> dict[int, Account]:
    """By probe, what its results account for in the period."""
    sums = ", ".join(f"sum({name}::double precision) AS {name}" for name in ACCOUNT)
    rows = await conn.fetch(
        f"""SELECT probe, {sums} FROM {TABLES[steps.source]}
            WHERE probe = ANY($1) AND starts_at >= $2 AND starts_at < $3 GROUP BY probe""",  # noqa: S608 -- constants
        list(numbers),
        steps.period.starts_at,
        steps.period.ends_at,
    )
    return {row["probe"]: Account(*(row[name] for name in ACCOUNT)) for row in rows}


@dataclass(frozen=True)
class SystemAccount:
    """What the results of all probes of a system account for."""

    id: str
    site_id: str
    probes: int
    account: Account


async def select_system_accounts(conn: Connection, selection: Selection, page: ProbePage) -> list[SystemAccount]:
    """By system behind ``after``: in each step of the sums the worst of its probes counts."""
    rows = await conn.fetch(
        f"""WITH chosen AS (
                SELECT number, coalesce(system_id, subject) AS id, site_id FROM histories h
                WHERE {CHOSEN} AND {SEEN[page.steps.source]}
            ), page AS (
                SELECT id, site_id, count(*) AS probes FROM chosen WHERE $11::text IS NULL OR id > $11
                GROUP BY id, site_id ORDER BY id LIMIT $12
            ), steps AS (
                SELECT id, max(observed)::double precision AS observed, max(planned)::double precision AS planned,
                       max(planned_down)::double precision AS planned_down,
                       coalesce(min(reachable / nullif(observed, 0)::double precision), 0) AS reachable,
                       coalesce(min(usable / nullif(observed, 0)::double precision), 0) AS usable
                FROM page JOIN chosen USING (id, site_id) JOIN {TABLES[page.steps.source]} r ON r.probe = number
                WHERE r.starts_at >= $9 AND r.starts_at < $10 GROUP BY id, r.starts_at
            )
            SELECT id, site_id, probes, sum(observed) AS observed, sum(observed * reachable) AS reachable,
                   sum(observed * usable) AS usable,
                   sum(planned) AS planned, sum(planned_down) AS planned_down
            FROM steps JOIN page USING (id) GROUP BY id, site_id, probes ORDER BY id""",  # noqa: S608 -- constants
        *_chosen(selection, None, page.measure, page.steps.period),
        page.after,
        page.limit,
    )
    seconds = ("observed", "reachable", "usable", "planned", "planned_down")
    return [
        SystemAccount(row["id"], row["site_id"], row["probes"], Account(*(row[name] for name in seconds)))
        for row in rows
    ]


async def select_values(
    conn: Connection, numbers: Collection[int], steps: Steps, measure: str | None
) -> dict[tuple[int, str], Values]:
    """By probe and phase or measure, its values in the period."""
    rows = await conn.fetch(
        f"""WITH named AS (
                SELECT probe, each.name, part
                FROM {TABLES[steps.source]} JOIN histories ON number = probe
                CROSS JOIN LATERAL unpacked(numbers, measures, $4) AS each
                WHERE probe = ANY($1) AND starts_at >= $2 AND starts_at < $3
            ), counts AS (
                SELECT probe, name, bin, sum(count) AS count
                FROM named CROSS JOIN LATERAL bins_of(part ->> 4) GROUP BY probe, name, bin
            ), bins AS (
                SELECT probe, name, jsonb_object_agg(bin, count) AS bins FROM counts GROUP BY probe, name
            ), sums AS (SELECT probe, name, {SUMS} FROM named GROUP BY probe, name)
            SELECT * FROM sums JOIN bins USING (probe, name) ORDER BY probe, name""",  # noqa: S608 -- constants
        list(numbers),
        steps.period.starts_at,
        steps.period.ends_at,
        measure,
    )
    return {(row["probe"], row["name"]): _values(row) for row in rows}


@dataclass(frozen=True)
class Summed:
    """What a probe saw in one step."""

    number: int
    at: datetime
    outcomes: dict[Outcome, int]
    values: Values


async def select_steps(conn: Connection, numbers: Collection[int], steps: Steps, measure: str) -> list[Summed]:
    """By probe and step, in their order, how runs ended and what values they had."""
    outcomes = ", ".join(f"sum({name})::integer AS {name}" for name in OUTCOMES)
    rows = conn.cursor(
        f"""WITH parts AS (
                SELECT r.*, part, date_bin($5, starts_at, {EPOCH}) AS at
                FROM {TABLES[steps.source]} r JOIN histories ON number = probe
                LEFT JOIN LATERAL unpacked(numbers, measures, $4) AS each ON true
                WHERE probe = ANY($1) AND starts_at >= $2 AND starts_at < $3
            ), counts AS (
                SELECT probe, at, bin, sum(count) AS count
                FROM parts CROSS JOIN LATERAL bins_of(part ->> 4) GROUP BY probe, at, bin
            ), bins AS (
                SELECT probe, at, jsonb_object_agg(bin, count) AS bins FROM counts GROUP BY probe, at
            ), sums AS (SELECT probe, at, {outcomes}, {SUMS} FROM parts GROUP BY probe, at)
            SELECT * FROM sums LEFT JOIN bins USING (probe, at) ORDER BY probe, at""",  # noqa: S608 -- constants
        list(numbers),
        steps.period.starts_at,
        steps.period.ends_at,
        measure,
        steps.length,
        prefetch=ROWS_AT_ONCE,
    )
    return [
        Summed(row["probe"], row["at"], {name: row[name] for name in OUTCOMES if row[name]}, _values(row))
        async for row in rows
    ]


@dataclass(frozen=True)
class Single:
    """How one run ended, with the value that is asked for."""

    probe_id: str
    at: datetime
    outcome: Outcome
    value: float | None


async def select_single(
    conn: Connection, probe_ids: Collection[str], period: Period, measure: str, limit: int
) -> list[Single]:
    """By probe, in their order, the outcomes of single results with the phase's or measure's value."""
    rows = conn.cursor(
        """SELECT probe_id, due_at, outcome, CASE
               WHEN (measures || phases) ? $4 THEN ((measures || phases) ->> $4)::double precision
               WHEN $4 = 'total' AND outcome IN ('ok', 'degraded')
                   THEN (SELECT sum(value::double precision) FROM jsonb_each_text(phases)) END AS value
           FROM results WHERE probe_id = ANY($1) AND due_at >= $2 AND due_at < $3
           ORDER BY probe_id, due_at LIMIT $5""",
        list(probe_ids),
        period.starts_at,
        period.ends_at,
        measure,
        limit,
        prefetch=ROWS_AT_ONCE,
    )
    return [Single(row["probe_id"], row["due_at"], row["outcome"], row["value"]) async for row in rows]


async def select_daily_means(
    conn: Connection, numbers: Collection[int], period: Period, measure: str
) -> dict[int, list[DailyFill]]:
    """By probe, the mean of a measure for each day of UTC that has any."""
    rows = await conn.fetch(
        f"""SELECT probe, date_bin($5, starts_at, {EPOCH}) AS day, sum((part ->> 1)::double precision) AS sum,
                   sum((part ->> 0)::bigint)::bigint AS count
            FROM rollups_1h JOIN histories ON number = probe CROSS JOIN LATERAL unpacked(numbers, measures, $4) AS each
            WHERE probe = ANY($1) AND starts_at >= $2 AND starts_at < $3
            GROUP BY probe, day ORDER BY probe, day""",  # noqa: S608 -- the epoch is a constant
        list(numbers),
        period.starts_at,
        period.ends_at,
        measure,
        DAY,
    )
    fills: dict[int, list[DailyFill]] = {}
    for row in rows:
        fills.setdefault(row["probe"], []).append(DailyFill(row["day"] + NOON, row["sum"] / row["count"]))
    return fills


def _chosen(selection: Selection, after: str | None, measure: str | None, period: Period) -> list[object]:
    sites = None if selection.sites is None else list(selection.sites)
    named = [selection.site_id, selection.system_id, selection.subject, selection.kind, selection.probe_id]
    return [sites, *named, after, measure, period.starts_at, period.ends_at]


def _values(row: asyncpg.Record) -> Values:
    bins: dict[str, Any] = row["bins"] or {}
    counted = {int(number): int(count) for number, count in bins.items()}
    return Values(row["count"] or 0, row["sum"] or 0.0, row["least"], row["greatest"], counted)
