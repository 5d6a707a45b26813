"""Keeping what the probes saw, and telling of it."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from services.probes.history import store
from services.probes.history.domain import Result
from shared.database import Connection
from shared.transactions import Transaction


async def keep_results(tx: Transaction, results: Sequence[Result]) -> None:
    """Keeps results, each once."""
    await store.insert_results(tx.conn, results)


async def find_last_results(conn: Connection, subjects: Collection[str]) -> dict[str, list[Result]]:
    """By subject, what the last run of each of its probes saw, for as long as results are kept."""
    found: dict[str, list[Result]] = {}
    for result in await store.select_last_results(conn, subjects):
        found.setdefault(result.subject, []).append(result)
    return found


async def forget_old_results(tx: Transaction, history: timedelta) -> None:
    """Deletes what is older than ``history``."""
    await store.delete_results_before(tx.conn, tx.now - history)
