"""SQL of what the probes saw."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from services.probes.history.domain import Result
from shared.database import Connection

RESULTS = TypeAdapter(Sequence[Result])

OF_SITES = """(SELECT unnest($1::text[]) AS id UNION SELECT site_id FROM histories WHERE $1 IS NULL
                UNION SELECT site_id FROM probes WHERE $1 IS NULL) AS site
            CROSS JOIN LATERAL (SELECT * FROM results WHERE $2::text IS NULL AND results.site_id = site.id"""
OF_SUBJECT = "(SELECT * FROM results WHERE results.subject = $2::text"

LAST = "z"
"""Behind all ids, which are hexadecimal, in any collation."""


@dataclass(frozen=True)
class KeptPeriod:
    """Between which due times results can be kept, and before which one they come late for their rollup."""

    starts_at: datetime
    ends_at: datetime
    closed_at: datetime


async def share_kept_period(conn: Connection) -> KeptPeriod:
    """The period, which stays as it is until the transaction ends."""
    row = await conn.fetchrow(
        """SELECT at AS closed_at, (SELECT min(starts_at) FROM partitions WHERE parent = 'results') AS starts_at,
                  (SELECT max(ends_at) FROM partitions WHERE parent = 'results') AS ends_at
           FROM rollup_marks WHERE name = 'closed' FOR SHARE OF rollup_marks"""
    )
    assert row is not None  # noqa: S101 -- the migration made the row, and nothing deletes it
    return KeptPeriod(row["starts_at"], row["ends_at"], row["closed_at"])


async def insert_results(conn: Connection, results: Sequence[Result], first: datetime, last: datetime) -> None:
    """Keeps those that are due in the period. Of a due time that comes twice, by a clock set back, the first stays."""
    await conn.execute(
        """INSERT INTO results SELECT * FROM jsonb_populate_recordset(NULL::results, $1::text::jsonb)
           WHERE due_at >= $2 AND due_at <= $3 ON CONFLICT DO NOTHING""",
        RESULTS.dump_json(results).decode(),
        first,
        last,
    )


async def insert_histories(conn: Connection, results: Sequence[Result]) -> None:
    """Knows from now on the probes of these results, also when they are gone."""
    of_probe = {result.probe_id: result for result in results}
    await conn.execute(
        """INSERT INTO histories (probe_id, subject, site_id, kind, system_id, name, interval)
           SELECT told.*, probes.system_id, coalesce(probes.name, told.subject),
                  coalesce(probes.interval, interval '1 minute')
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS told (probe_id, subject, site_id, kind)
           LEFT JOIN probes ON probes.id = told.probe_id
           WHERE NOT EXISTS (SELECT FROM histories WHERE histories.probe_id = told.probe_id)
           ON CONFLICT DO NOTHING""",
        list(of_probe),
        [result.subject for result in of_probe.values()],
        [result.site_id for result in of_probe.values()],
        [result.kind for result in of_probe.values()],
    )


async def insert_late(conn: Connection, results: Sequence[Result]) -> None:
    """Notes results whose rollup was made, or is being made, without them."""
    await conn.execute(
        "INSERT INTO late_results (probe_id, due_at) SELECT * FROM unnest($1::text[], $2::timestamptz[])",
        [result.probe_id for result in results],
        [result.due_at for result in results],
    )


async def select_results(
    conn: Connection, visible: Collection[str] | None, subject: str | None, before: str | None, limit: int
) -> list[Result]:
    """Results, the latest first, behind ``before``; ``visible`` None stands for all sites."""
    # Each site is read along its own index, so that a site without results costs no look at those of the others.
    rows = await conn.fetch(
        f"""SELECT found.* FROM {OF_SUBJECT if subject else OF_SITES}
                AND ($1::text[] IS NULL OR site_id = ANY($1)) AND results.id < $3
                ORDER BY results.id DESC LIMIT $4) AS found
            ORDER BY found.id DESC LIMIT $4""",  # noqa: S608 -- constants
        None if visible is None else list(visible),
        subject,
        before or LAST,
        limit,
    )
    return [Result.model_validate(dict(row)) for row in rows]


async def select_last_results(conn: Connection, subjects: Collection[str]) -> list[Result]:
    """The results of the last runs of these subjects' probes, by kind."""
    rows = await conn.fetch(
        """SELECT last.* FROM probes CROSS JOIN LATERAL
               (SELECT * FROM results WHERE probe_id = probes.id ORDER BY due_at DESC LIMIT 1) AS last
           WHERE probes.subject = ANY($1) ORDER BY probes.kind, probes.id""",
        list(subjects),
    )
    return [Result.model_validate(dict(row)) for row in rows]


async def provide_partitions(conn: Connection, first: datetime, last: datetime) -> None:
    """Makes the partitions for what is due between, as far as they are missing."""
    await conn.execute("SELECT provide_partitions($1, $2)", first, last)


async def drop_partitions(conn: Connection, parent: str, instant: datetime) -> int:
    """Drops the partitions that ended before, and says how many. Raises LockNotAvailableError where readers hold on."""
    dropped: int = await conn.fetchval("SELECT drop_partitions($1, $2)", parent, instant)
    return dropped
