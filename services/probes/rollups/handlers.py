"""Making rollups: each step is a transaction, and made again it writes the same rows."""

from collections.abc import Sequence
from datetime import timedelta

from services.probes.history.handlers import forget_old_results, forget_old_rollups, provide_partitions
from services.probes.rollups import store
from services.probes.rollups.domain import DAY, HOUR, closable, floor, hours_ending, next_roll
from shared.transactions import Transaction

LATE_AT_ONCE = 2000
STEPS_AT_ONCE = 2000
HOURS_AT_ONCE = 500
"""What one statement sums up: some seconds at most, on a machine that has other work too."""

AHEAD = timedelta(days=3)


async def close_periods(tx: Transaction) -> bool:
    """Closes what is over: results that are due before and come later are noted as late. Says whether there was any.

    Waits for those who are keeping results, so that each either was seen by the roll that follows, or is noted.
    """
    marks = await store.select_marks(tx.conn)
    until = closable(tx.now)
    if until <= marks.closed:
        return False
    await store.update_mark(tx.conn, "closed", until)
    return True


async def roll_next(tx: Transaction) -> bool:
    """Sums up the next closed period and says whether there was one. Another replica at it is left to it."""
    if not await store.try_lock(tx.conn):
        return False
    period = next_roll(await store.select_marks(tx.conn))
    if period is None:
        return False
    starts_at, ends_at = period
    await store.refresh_histories(tx.conn)
    await _roll_steps(tx, await store.select_steps(tx.conn, starts_at, ends_at))
    for hour in hours_ending(starts_at, ends_at):
        await _roll_hours(tx, await store.select_probes_of_hour(tx.conn, hour))
    await store.update_mark(tx.conn, "rolled", ends_at)
    return True


async def roll_late(tx: Transaction) -> bool:
    """Sums up again what late results, of one day at a time, fall into, and says whether there were any.

    A result accounts for the time since the one before it; so the step of the result after a late one changes too.
    """
    if not await store.try_lock(tx.conn):
        return False
    late = await store.take_late(tx.conn, LATE_AT_ONCE)
    if not late:
        return False
    rolled = (await store.select_marks(tx.conn)).rolled
    steps = await store.select_steps_changed_by(tx.conn, late, rolled)
    for day in sorted({floor(step.starts_at, DAY) for step in steps}):
        await _roll_steps(tx, [step for step in steps if floor(step.starts_at, DAY) == day])
    hours = {(step.probe_id, floor(step.starts_at, HOUR)) for step in steps}
    await _roll_hours(tx, [store.Step(*hour) for hour in hours if hour[1] + HOUR <= rolled])
    return True


async def _roll_steps(tx: Transaction, steps: Sequence[store.Step]) -> None:
    for start in range(0, len(steps), STEPS_AT_ONCE):
        await store.roll_steps(tx.conn, steps[start : start + STEPS_AT_ONCE])


async def _roll_hours(tx: Transaction, hours: Sequence[store.Step]) -> None:
    for start in range(0, len(hours), HOURS_AT_ONCE):
        await store.roll_hours(tx.conn, hours[start : start + HOURS_AT_ONCE])


async def keep_within_history(tx: Transaction, results: timedelta, fine: timedelta, coarse: timedelta) -> None:
    """Drops the partitions that are old, of results, 5-minute sums and hourly sums, and makes those of the next days.

    In that order, since there is no gap between partitions: after a year's outage the days in it need none.
    Raises LockNotAvailableError where readers hold a partition for long; then it is for the next time.
    """
    await forget_old_results(tx, results)
    await forget_old_rollups(tx, fine, coarse)
    await provide_partitions(tx, tx.now + AHEAD)
