"""SQL of rollups."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.probes.kpis.availability import UNREACHABLE, UNREACHABLE_UNCONNECTED
from services.probes.rollups.domain import HOUR, STEP, Marks
from shared.database import Connection

LOOK_BACK = timedelta(days=3)
"""How far before a step its first result's predecessor is looked for."""

JUDGED = "('ok', 'degraded', 'failed')"
"""The outcomes that say something of the target."""

COLUMNS = (
    "probe, starts_at, ok, degraded, failed, probe_error, skipped, "
    "observed, reachable, usable, planned, planned_down, losses, breakdowns, numbers"
)
REPLACE = ", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS.split(", ")[2:])


@dataclass(frozen=True)
class Step:
    """Five minutes, or an hour, of a probe."""

    probe_id: str
    starts_at: datetime


async def try_lock(conn: Connection) -> bool:
    """Whether this transaction is the only one that rolls, until it ends."""
    is_ours: bool = await conn.fetchval("SELECT pg_try_advisory_xact_lock(hashtext('rollups of probes'))")
    return is_ours


async def select_marks(conn: Connection) -> Marks:
    """How far rolling has come."""
    rows = await conn.fetch("SELECT name, at FROM rollup_marks")
    return Marks(**{row["name"]: row["at"] for row in rows})


async def update_mark(conn: Connection, name: Literal["closed", "rolled"], at: datetime) -> None:
    """Moves a mark; never back."""
    await conn.execute("UPDATE rollup_marks SET at = $2 WHERE name = $1 AND at < $2", name, at)


async def refresh_histories(conn: Connection) -> None:
    """Takes over what probes are called and how often they run now."""
    await conn.execute(
        """UPDATE histories SET site_id = p.site_id, system_id = p.system_id, name = p.name, interval = p.interval
           FROM probes p WHERE p.id = histories.probe_id
             AND (histories.site_id, histories.system_id, histories.name, histories.interval)
                 IS DISTINCT FROM (p.site_id, p.system_id, p.name, p.interval)"""
    )


async def select_steps(conn: Connection, first: datetime, end: datetime) -> list[Step]:
    """The steps of the period in which probes had results."""
    rows = await conn.fetch(
        """SELECT DISTINCT probe_id, date_bin($3, due_at, '2000-01-01 00:00:00+00') AS starts_at
           FROM results WHERE due_at >= $1 AND due_at < $2""",
        first,
        end,
        STEP,
    )
    return [Step(row["probe_id"], row["starts_at"]) for row in rows]


async def take_late(conn: Connection, limit: int) -> list[Step]:
    """The late results that are due first, no longer noted: of which probe, due when."""
    rows = await conn.fetch(
        """DELETE FROM late_results WHERE id IN (SELECT id FROM late_results ORDER BY due_at LIMIT $1)
           RETURNING probe_id, due_at""",
        limit,
    )
    return [Step(row["probe_id"], row["due_at"]) for row in rows]


async def select_steps_changed_by(conn: Connection, late: Sequence[Step], rolled: datetime) -> list[Step]:
    """The steps, of those that were rolled, of these results and of the ones that came next after them."""
    rows = await conn.fetch(
        f"""WITH late AS (SELECT DISTINCT * FROM unnest($1::text[], $2::timestamptz[]) AS late (probe_id, due_at)),
           changed AS (
               SELECT probe_id, due_at FROM late
               UNION ALL
               SELECT late.probe_id, next.due_at FROM late CROSS JOIN LATERAL
                   (SELECT due_at FROM results r
                    WHERE r.probe_id = late.probe_id AND r.due_at > late.due_at AND r.due_at < late.due_at + $4
                      AND r.due_at < $3 AND r.outcome IN {JUDGED} ORDER BY due_at LIMIT 1) AS next)
           SELECT DISTINCT probe_id, date_bin($5, due_at, '2000-01-01 00:00:00+00') AS starts_at
           FROM changed WHERE due_at < $3""",  # noqa: S608 -- the outcomes are constants
        [step.probe_id for step in late],
        [step.starts_at for step in late],
        rolled,
        LOOK_BACK,
        STEP,
    )
    return [Step(row["probe_id"], row["starts_at"]) for row in rows]


async def select_probes_of_hour(conn: Connection, hour: datetime) -> list[Step]:
    """The hour, of each probe that has sums in it."""
    rows = await conn.fetch(
        """SELECT DISTINCT probe_id FROM rollups_5m JOIN histories ON number = probe
           WHERE starts_at >= $1 AND starts_at < $2""",
        hour,
        hour + HOUR,
    )
    return [Step(row["probe_id"], hour) for row in rows]


async def roll_steps(conn: Connection, steps: Sequence[Step]) -> None:
    """Sums up the results of each of these steps, anew where that was done before."""
    if not steps:
        return
    await conn.execute(
        ROLL_STEPS,
        [step.probe_id for step in steps],
        [step.starts_at for step in steps],
        min(step.starts_at for step in steps),
        max(step.starts_at for step in steps) + STEP,
        STEP,
        LOOK_BACK,
        list(UNREACHABLE),
        list(UNREACHABLE_UNCONNECTED),
    )


async def roll_hours(conn: Connection, hours: Sequence[Step]) -> None:
    """Sums up the 5-minute sums of each of these hours, anew where that was done before."""
    if not hours:
        return
    await conn.execute(
        ROLL_HOURS,
        [hour.probe_id for hour in hours],
        [hour.starts_at for hour in hours],
        min(hour.starts_at for hour in hours),
        max(hour.starts_at for hour in hours) + HOUR,
    )


ROLL_STEPS = f"""
WITH touched AS (
    SELECT number AS probe, probe_id, starts_at, least(3 * interval, $6::interval) AS hold
    FROM unnest($1::text[], $2::timestamptz[]) AS step (probe_id, starts_at) JOIN histories USING (probe_id)
), runs AS MATERIALIZED (
    SELECT t.probe, t.starts_at, t.hold, r.due_at, r.outcome, r.failure, r.window_id, r.phases, r.measures
    FROM touched t JOIN results r
        ON r.probe_id = t.probe_id AND r.due_at >= t.starts_at AND r.due_at < t.starts_at + $5::interval
    WHERE r.due_at >= $3 AND r.due_at < $4
), before AS (
    SELECT t.probe, t.starts_at, t.hold, r.* FROM touched t CROSS JOIN LATERAL (
        SELECT due_at, outcome, failure, window_id, phases FROM results
        WHERE probe_id = t.probe_id AND due_at < t.starts_at AND due_at >= t.starts_at - $6::interval
          AND due_at >= $3::timestamptz - $6::interval AND due_at < $4 AND outcome IN {JUDGED}
        ORDER BY due_at DESC LIMIT 1) r
), told AS (
    SELECT probe, starts_at, hold, due_at, outcome, failure, window_id, phases FROM runs WHERE outcome IN {JUDGED}
    UNION ALL SELECT * FROM before
), judged AS (
    SELECT probe, starts_at, hold, due_at, outcome = 'ok' AS usable, window_id IS NOT NULL AS planned,
           outcome <> 'failed' OR NOT (coalesce(failure, '') = ANY ($7::text[])
               OR coalesce(failure, '') = ANY ($8::text[]) AND NOT phases ? 'tcp') AS reachable
    FROM told
), stretches AS (
    SELECT *, lag(usable) OVER one AS was_usable, lag(reachable) OVER one AS was_reachable,
           lag(planned) OVER one AS was_planned,
           extract(epoch FROM least(due_at - lag(due_at) OVER one, hold))::double precision AS seconds
    FROM judged WINDOW one AS (PARTITION BY probe, starts_at ORDER BY due_at)
), account AS (
    SELECT probe, starts_at,
           sum(seconds) FILTER (WHERE NOT was_planned) AS observed,
           sum(seconds) FILTER (WHERE NOT was_planned AND was_reachable) AS reachable,
           sum(seconds) FILTER (WHERE NOT was_planned AND was_usable) AS usable,
           sum(seconds) FILTER (WHERE was_planned) AS planned,
           sum(seconds) FILTER (WHERE was_planned AND NOT was_usable) AS planned_down,
           count(*) FILTER (WHERE NOT planned AND NOT reachable AND coalesce(was_reachable, true)) AS losses,
           count(*) FILTER (WHERE NOT planned AND NOT usable AND coalesce(was_usable, true)) AS breakdowns
    FROM stretches WHERE due_at >= starts_at GROUP BY probe, starts_at
), counted AS (
    SELECT probe, starts_at, count(*) FILTER (WHERE outcome = 'ok') AS ok,
           count(*) FILTER (WHERE outcome = 'degraded') AS degraded,
           count(*) FILTER (WHERE outcome = 'failed') AS failed,
           count(*) FILTER (WHERE outcome = 'probe_error') AS probe_error,
           count(*) FILTER (WHERE outcome = 'skipped') AS skipped
    FROM runs GROUP BY probe, starts_at
), named AS (
    SELECT probe, starts_at, each.key AS name, (each.value #>> '{{}}')::double precision AS value
    FROM runs CROSS JOIN LATERAL jsonb_each(measures || phases) AS each WHERE jsonb_typeof(each.value) = 'number'
    UNION ALL
    SELECT probe, starts_at, 'total', (SELECT sum((value #>> '{{}}')::double precision) FROM jsonb_each(phases)
                                       WHERE jsonb_typeof(value) = 'number')
    FROM runs WHERE outcome IN ('ok', 'degraded') AND phases <> '{{}}' AND NOT (measures || phases) ? 'total'
), valued AS MATERIALIZED (
    SELECT probe, starts_at, name, array_agg(value) AS values FROM named WHERE value IS NOT NULL
    GROUP BY probe, starts_at, name
), learned AS (
    UPDATE histories h SET measures = h.measures || fresh
    FROM (SELECT probe, array_agg(DISTINCT valued.name ORDER BY valued.name) AS fresh
          FROM valued JOIN histories ON number = probe WHERE valued.name <> ALL (measures) GROUP BY probe) AS new
    WHERE h.number = new.probe RETURNING h.number, h.measures
), numbers AS (
    SELECT probe, starts_at, array_concat(pack_values(
               array_position(coalesce(learned.measures, histories.measures), valued.name), values)
               ORDER BY valued.name) AS numbers
    FROM valued JOIN histories ON histories.number = probe LEFT JOIN learned ON learned.number = probe
    GROUP BY probe, starts_at
)
INSERT INTO rollups_5m ({COLUMNS})
SELECT probe, starts_at, ok, degraded, failed, probe_error, skipped, coalesce(observed, 0), coalesce(reachable, 0),
       coalesce(usable, 0), coalesce(planned, 0), coalesce(planned_down, 0), coalesce(losses, 0),
       coalesce(breakdowns, 0), coalesce(numbers, '{{}}')
FROM counted LEFT JOIN account USING (probe, starts_at) LEFT JOIN numbers USING (probe, starts_at)
ON CONFLICT (probe, starts_at) DO UPDATE SET {REPLACE}
"""  # noqa: S608 -- the parts are constants

ROLL_HOURS = f"""
WITH touched AS (
    SELECT number AS probe, starts_at AS hour
    FROM unnest($1::text[], $2::timestamptz[]) AS step (probe_id, starts_at) JOIN histories USING (probe_id)
), parts AS MATERIALIZED (
    SELECT touched.hour, r.* FROM touched JOIN rollups_5m r
        ON r.probe = touched.probe AND r.starts_at >= hour AND r.starts_at < hour + interval '1 hour'
    WHERE r.starts_at >= $3 AND r.starts_at < $4
), named AS (
    SELECT probe, hour, array_position(measures, each.name) AS place, part
    FROM parts JOIN histories ON number = probe CROSS JOIN LATERAL unpacked(numbers, measures) AS each
), counts AS (
    SELECT probe, hour, place, bin, sum(count)::integer AS count
    FROM named CROSS JOIN LATERAL bins_of(part ->> 4) GROUP BY probe, hour, place, bin
), bins AS (
    SELECT probe, hour, place, array_agg(bin) AS bins, array_agg(count) AS counts
    FROM counts GROUP BY probe, hour, place
), sums AS (
    SELECT probe, hour, place, sum((part ->> 0)::bigint)::bigint AS count, sum((part ->> 1)::double precision) AS sum,
           min((part ->> 2)::double precision) AS least, max((part ->> 3)::double precision) AS greatest
    FROM named GROUP BY probe, hour, place
), numbers AS (
    SELECT probe, hour,
           array_concat(pack_bins(place, count, sum, least, greatest, bins, counts) ORDER BY place) AS numbers
    FROM sums JOIN bins USING (probe, hour, place) GROUP BY probe, hour
), accounts AS (
    SELECT probe, hour, sum(ok) AS ok, sum(degraded) AS degraded, sum(failed) AS failed,
           sum(probe_error) AS probe_error, sum(skipped) AS skipped, sum(observed::double precision) AS observed,
           sum(reachable::double precision) AS reachable, sum(usable::double precision) AS usable,
           sum(planned::double precision) AS planned, sum(planned_down::double precision) AS planned_down,
           sum(losses) AS losses, sum(breakdowns) AS breakdowns
    FROM parts GROUP BY probe, hour
)
INSERT INTO rollups_1h ({COLUMNS})
SELECT probe, hour, ok, degraded, failed, probe_error, skipped, observed, reachable, usable, planned, planned_down,
       losses, breakdowns, coalesce(numbers, '{{}}')
FROM accounts LEFT JOIN numbers USING (probe, hour)
ON CONFLICT (probe, starts_at) DO UPDATE SET {REPLACE}
"""  # noqa: S608 -- the parts are constants
