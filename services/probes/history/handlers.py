"""Keeping what the probes saw, and telling of it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from services.probes.history import store
from services.probes.history.domain import Result
from shared.database import Connection
from shared.transactions import Transaction

LONGEST_AHEAD = timedelta(days=1)


async def keep_results(tx: Transaction, results: Sequence[Result]) -> None:
    """Keeps results, each once, for the rollups too, however late it comes.

    Results of before the history, or of more than a day ahead of now, are not kept. Raises UniqueViolationError for a
    run that has a result: the lease must have kept that from us.
    """
    if not results:
        return
    kept = await store.share_kept_period(tx.conn)
    last = min(max(result.due_at for result in results), tx.now + LONGEST_AHEAD)
    if last >= kept.ends_at:
        await store.provide_partitions(tx.conn, kept.ends_at, last)
    await store.insert_results(tx.conn, results, kept.starts_at, tx.now + LONGEST_AHEAD)
    await store.insert_histories(tx.conn, results)
    late = [result for result in results if kept.starts_at <= result.due_at < kept.closed_at]
    if late:
        await store.insert_late(tx.conn, late)


async def find_last_results(conn: Connection, subjects: Collection[str]) -> dict[str, list[Result]]:
    """By subject, what the last run of each of its probes saw, for as long as results are kept."""
    found: dict[str, list[Result]] = {}
    for result in await store.select_last_results(conn, subjects):
        found.setdefault(result.subject, []).append(result)
    return found


async def forget_old_results(tx: Transaction, history: timedelta) -> None:
    """Drops the days that ended longer than ``history`` ago; their events stay in the audit log."""
    await store.drop_partitions(tx.conn, "results", tx.now - history)


async def forget_old_rollups(tx: Transaction, fine: timedelta, coarse: timedelta) -> None:
    """Drops the months of 5-minute sums and the years of hourly sums that ended longer ago."""
    await store.drop_partitions(tx.conn, "rollups_5m", tx.now - fine)
    await store.drop_partitions(tx.conn, "rollups_1h", tx.now - coarse)


async def provide_partitions(tx: Transaction, until: datetime) -> None:
    """Makes room for what comes until then, ahead of time, so that keeping results need not."""
    await store.provide_partitions(tx.conn, tx.now, until)
