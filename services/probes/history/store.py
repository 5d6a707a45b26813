"""SQL of what the probes saw."""

from collections.abc import Collection, Sequence
from datetime import datetime

from services.probes.history.domain import Result
from shared.database import Connection


async def insert_results(conn: Connection, results: Sequence[Result]) -> None:
    """Keeps results. Raises UniqueViolationError for a run that has one: the lease must have kept that from us."""
    columns = list(Result.model_fields)
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    await conn.executemany(
        f"INSERT INTO results ({', '.join(columns)}) VALUES ({places})",  # noqa: S608 -- the names are our own model's
        [[getattr(result, column) for column in columns] for result in results],
    )


async def select_results(
    conn: Connection, visible: Collection[str] | None, subject: str | None, before: str | None, limit: int
) -> list[Result]:
    """Results, the latest first, behind ``before``; ``visible`` None stands for all sites."""
    rows = await conn.fetch(
        """SELECT * FROM results
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR subject = $2)
             AND ($3::text IS NULL OR id < $3)
           ORDER BY id DESC LIMIT $4""",
        None if visible is None else list(visible),
        subject,
        before,
        limit,
    )
    return [Result.model_validate(dict(row)) for row in rows]


async def select_last_results(conn: Connection, subjects: Collection[str]) -> list[Result]:
    """The results of the last runs of these subjects' probes, by kind."""
    rows = await conn.fetch(
        """SELECT results.* FROM probes JOIN results ON results.id = probes.last_result
           WHERE probes.subject = ANY($1) ORDER BY probes.kind""",
        list(subjects),
    )
    return [Result.model_validate(dict(row)) for row in rows]


async def delete_results_before(conn: Connection, instant: datetime) -> None:
    """Forgets results that are older; their events stay in the audit log."""
    await conn.execute("DELETE FROM results WHERE started_at < $1", instant)
