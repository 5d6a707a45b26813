"""SQL of reports."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from services.probes.alerts.records import Alert
from services.probes.history.domain import Result
from services.probes.reports.domain import OpenWindow, Report, State
from shared.database import Connection, found

COLUMNS = ", ".join(Report.model_fields)


@dataclass(frozen=True)
class Place:
    """What a report is about: a site, or a system of it."""

    site_id: str
    system_id: str | None


@dataclass(frozen=True)
class Filed:
    """How many reports somebody, and a site, have filed lately."""

    by_person: int
    of_site: int


async def delete_closed_before(conn: Connection, instant: datetime) -> None:
    """Forgets reports that were closed before."""
    await conn.execute("DELETE FROM reports WHERE closed_at < $1", instant)


async def lock_filing(conn: Connection, site_id: str) -> None:
    """Reports of a site are filed one after the other: each is counted, and finds the alert of the one before."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"reports of {site_id}")


async def count_filed(
    conn: Connection, person: str, site_id: str, now: datetime, lately: Collection[timedelta]
) -> Filed:
    """How many reports there were in each of the two times before now."""
    of_person, of_site = lately
    row = await conn.fetchrow(
        """SELECT (SELECT count(*) FROM reports WHERE filed_by = $1 AND filed_at > $3) AS by_person,
                  (SELECT count(*) FROM reports WHERE site_id = $2 AND filed_at > $4) AS of_site""",
        person,
        site_id,
        now - of_person,
        now - of_site,
    )
    return Filed(**dict(row or {}))


async def select_name(conn: Connection, place: Place) -> str | None:
    """What the system is called, or the site, which is its id; None where probes have not heard of it there."""
    if place.system_id is not None:
        name: str | None = await conn.fetchval(
            "SELECT name FROM assets WHERE id = $1 AND site_id = $2 AND kind = 'system'", place.system_id, place.site_id
        )
        return name
    is_known = await conn.fetchval(
        """SELECT EXISTS (SELECT FROM assets WHERE site_id = $1)
               OR EXISTS (SELECT FROM site_zones WHERE site_id = $1)""",
        place.site_id,
    )
    return place.site_id if is_known else None


async def select_open_alert(conn: Connection, place: Place) -> str | None:
    """The alert of the open reports about the same."""
    alert_id: str | None = await conn.fetchval(
        """SELECT alert_id FROM reports WHERE site_id = $1 AND system_id IS NOT DISTINCT FROM $2 AND closed_at IS NULL
           ORDER BY id LIMIT 1""",
        place.site_id,
        place.system_id,
    )
    return alert_id


async def is_alert_wanted(conn: Connection, alert_id: str) -> bool:
    """Whether a report of the alert is open."""
    is_open: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM reports WHERE alert_id = $1 AND closed_at IS NULL)", alert_id
    )
    return is_open


async def select_alert(conn: Connection, alert_id: str) -> Alert | None:
    """The alert, if it was not resolved and forgotten."""
    row = await conn.fetchrow("SELECT * FROM alerts WHERE id = $1", alert_id)
    return Alert.model_validate(dict(row)) if row else None


async def insert_report(conn: Connection, report: Report, evidence: str) -> None:
    """Keeps a new report with its evidence."""
    fields = report.model_dump() | {"evidence": evidence}
    places = ", ".join(f"${number}" for number in range(1, len(fields) + 1))
    await conn.execute(
        f"INSERT INTO reports ({', '.join(fields)}) VALUES ({places})",  # noqa: S608 -- our own model's names
        *fields.values(),
    )


async def update_report(conn: Connection, report: Report) -> None:
    """Keeps what came of a report."""
    await conn.execute(
        "UPDATE reports SET version = $2, closed_at = $3, closed_by = $4, outcome = $5 WHERE id = $1",
        report.id,
        report.version,
        report.closed_at,
        report.closed_by,
        report.outcome,
    )


async def select_report(conn: Connection, report_id: str) -> Report:
    """The report. Raises NotFound."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM reports WHERE id = $1", report_id)  # noqa: S608 -- our own names
    return _report(found(row, f"report {report_id}"))


async def lock_report(conn: Connection, report_id: str) -> Report:
    """The report, nobody else's to change until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM reports WHERE id = $1 FOR UPDATE",  # noqa: S608 -- our own names
        report_id,
    )
    return _report(found(row, f"report {report_id}"))


async def select_evidence(conn: Connection, report_id: str) -> str:
    """The exact text of what the probes saw. Raises NotFound."""
    row = await conn.fetchrow("SELECT evidence FROM reports WHERE id = $1", report_id)
    text: str = found(row, f"report {report_id}")["evidence"]
    return text


@dataclass(frozen=True)
class Selection:
    """Which reports; what is None does not narrow. ``sites`` are the caller's."""

    sites: Collection[str] | None
    site_id: str | None
    system_id: str | None
    state: State | None


async def select_reports(conn: Connection, selection: Selection, before: str | None, limit: int) -> list[Report]:
    """Reports, the latest first, behind ``before``."""
    rows = await conn.fetch(
        f"""SELECT {COLUMNS} FROM reports
            WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR site_id = $2)
              AND ($3::text IS NULL OR system_id = $3) AND ($4::text IS NULL OR ($4 = 'open') = (closed_at IS NULL))
              AND ($5::text IS NULL OR id < $5)
            ORDER BY id DESC LIMIT $6""",  # noqa: S608 -- our own names
        None if selection.sites is None else list(selection.sites),
        selection.site_id,
        selection.system_id,
        selection.state,
        before,
        limit,
    )
    return [_report(row) for row in rows]


async def select_results_at(conn: Connection, place: Place, moment: datetime, limit: int) -> tuple[list[Result], int]:
    """What the place's probes saw last before the moment, those first that were not well; and how many there are."""
    rows = await conn.fetch(
        """SELECT last.*, count(*) OVER () AS probes FROM histories h CROSS JOIN LATERAL
               (SELECT * FROM results WHERE probe_id = h.probe_id AND due_at <= $3 AND due_at > $3 - interval '3 days'
                ORDER BY due_at DESC LIMIT 1) AS last
           WHERE h.site_id = $1 AND ($2::text IS NULL OR $2 IN (h.system_id, h.subject))
           ORDER BY last.outcome = 'ok', last.probe_id LIMIT $4""",
        place.site_id,
        place.system_id,
        moment,
        limit,
    )
    return [Result.model_validate(dict(row)) for row in rows], rows[0]["probes"] if rows else 0


async def select_alerts_at(conn: Connection, place: Place, moment: datetime, limit: int) -> list[Alert]:
    """The place's alerts that were open at the moment."""
    rows = await conn.fetch(
        """SELECT * FROM alerts
           WHERE site_id = $1 AND ($2::text IS NULL OR $2 IN (system_id, subject)) AND since <= $3
             AND (resolved_at IS NULL OR resolved_at > $3)
           ORDER BY severity, id LIMIT $4""",
        place.site_id,
        place.system_id,
        moment,
        limit,
    )
    return [Alert.model_validate(dict(row)) for row in rows]


async def select_windows_at(conn: Connection, place: Place, moment: datetime) -> list[OpenWindow]:
    """The windows that were open at the moment for the system, or for one of the site's."""
    rows = await conn.fetch(
        """SELECT id, systems, starts_at, ends_at FROM windows
           WHERE NOT is_cancelled AND least(starts_at, started_at) <= $3 AND least(ends_at, ended_at) > $3
             AND ($2 = ANY(systems) OR $2::text IS NULL
                  AND systems && ARRAY(SELECT id FROM assets WHERE site_id = $1 AND kind = 'system'))
           ORDER BY id""",
        place.site_id,
        place.system_id,
        moment,
    )
    return [OpenWindow.model_validate(dict(row)) for row in rows]


def _report(row: asyncpg.Record) -> Report:
    return Report.model_validate(dict(row))
