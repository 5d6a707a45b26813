"""Commands on reports."""

import hashlib
from datetime import datetime, timedelta

from services.probes.alerts.domain import OK, AlertState, Change
from services.probes.alerts.records import About
from services.probes.alerts.telling import Step, keep_steps
from services.probes.kpis.domain import Selection
from services.probes.kpis.handlers import Asked, find_availability, find_percentiles, find_summed
from services.probes.kpis.steps import Period
from services.probes.reports import store
from services.probes.reports.domain import (
    HOUR,
    OF_PERSON,
    OF_SITE,
    Evidence,
    NewReport,
    Report,
    check_allowance,
    check_of,
    close,
    moment_of,
    words_of,
)
from services.probes.reports.store import Place
from shared.database import Connection
from shared.errors import NotFound
from shared.events.probes import ReportClosed, ReportFiled
from shared.resource import check_version
from shared.transactions import Transaction, new_id

MOST_PROBES = 100
MOST_ALERTS = 100


async def file_report(tx: Transaction, new: NewReport) -> Report:
    """Keeps what was noticed with what the probes saw at that moment, and raises an alert, in a window too.

    While a report about the same system, or the same site as a whole, is open, others join its alert: those who are
    called need not be called by each. Raises NotFound, Malformed, TooMany.
    """
    place = Place(new.site_id, new.system_id)
    await store.lock_filing(tx.conn, new.site_id)
    filed = await store.count_filed(tx.conn, tx.actor, new.site_id, tx.now, (OF_PERSON.within, OF_SITE.within))
    check_allowance(filed.by_person, filed.of_site)
    name = await store.select_name(tx.conn, place)
    if name is None:
        raise NotFound(
            f"no system {new.system_id} at site {new.site_id}" if new.system_id else f"no site {new.site_id}"
        )
    moment = moment_of(new, tx.now)
    evidence = (await gather_evidence(tx.conn, place, moment)).model_dump_json()
    joined = await store.select_open_alert(tx.conn, place)
    report = Report(
        id=new_id(),
        version=1,
        **new.model_dump(exclude={"happened_at"}),
        asset_name=name,
        happened_at=moment,
        filed_at=tx.now,
        filed_by=tx.actor,
        alert_id=joined or new_id(),
        sha256=hashlib.sha256(evidence.encode()).hexdigest(),
    )
    await store.insert_report(tx.conn, report, evidence)
    _record_filed(tx, report)
    if joined is None:
        await _raise(tx, report)
    return report


async def close_report(tx: Transaction, report_id: str, expected_version: int, outcome: str) -> Report:
    """Says what came of a report; the last one of an alert resolves it. Raises NotFound, Stale, Conflict."""
    site_id = (await store.select_report(tx.conn, report_id)).site_id
    await store.lock_filing(tx.conn, site_id)
    known = await store.lock_report(tx.conn, report_id)
    check_version(f"report {report_id}", known, expected_version)
    report = close(known, outcome, tx.actor, tx.now)
    await store.update_report(tx.conn, report)
    closed = ReportClosed(
        report_id=report.id,
        system_id=report.system_id,
        alert_id=report.alert_id,
        summary=report.summary,
        outcome=outcome,
        filed_at=report.filed_at,
        closed_at=tx.now,
    )
    tx.record(closed, subject=_subject(report), site_id=report.site_id)
    if not await store.is_alert_wanted(tx.conn, report.alert_id):
        await _resolve(tx, report)
    return report


async def gather_evidence(conn: Connection, place: Place, moment: datetime) -> Evidence:
    """What the probes of the place saw at the moment and in the hour before it, and what was known to be wrong."""
    results, probes = await store.select_results_at(conn, place, moment, MOST_PROBES)
    chosen = Selection(None, site_id=place.site_id, system_id=place.system_id)
    found = await find_summed(conn, Asked(chosen, Period(moment - HOUR, moment), None, MOST_PROBES))
    return Evidence(
        moment=moment,
        results=results,
        probes_omitted=probes - len(results),
        availability=await find_availability(conn, found),
        percentiles=await find_percentiles(conn, found, None),
        alerts=await store.select_alerts_at(conn, place, moment, MOST_ALERTS),
        windows=await store.select_windows_at(conn, place, moment),
    )


def _subject(report: Report) -> str:
    return report.system_id or report.site_id


def _record_filed(tx: Transaction, report: Report) -> None:
    filed = ReportFiled(
        report_id=report.id,
        system_id=report.system_id,
        asset_name=report.asset_name,
        alert_id=report.alert_id,
        summary=report.summary,
        place=report.place,
        happened_at=report.happened_at,
        evidence=report.sha256,
    )
    tx.record(filed, subject=_subject(report), site_id=report.site_id)


async def _raise(tx: Transaction, report: Report) -> None:
    check = check_of(report.id)
    about = About(
        probe_id=check,
        measure="",
        check=check,
        subject=_subject(report),
        asset_name=report.asset_name,
        site_id=report.site_id,
        system_id=report.system_id,
    )
    state = AlertState("firing", since=report.happened_at, alert_id=report.alert_id, severity="warning")
    raised = Change("raised", "ok", "firing", report.alert_id)
    await keep_steps(tx, [Step(about, raised, state, words_of(report.summary, report.place), tx.now)])


async def _resolve(tx: Transaction, report: Report) -> None:
    alert = await store.select_alert(tx.conn, report.alert_id)
    if alert is None:
        return
    resolved = Change("resolved", "firing", "ok", alert.id)
    await keep_steps(tx, [Step(alert.about, resolved, OK, f"The report was closed: {report.outcome}", tx.now)])


async def forget_old_reports(tx: Transaction, history: timedelta) -> None:
    """Deletes reports that were closed longer ago than ``history``."""
    await store.delete_closed_before(tx.conn, tx.now - history)
