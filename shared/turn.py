"""One at a time: work that a single member of several may do, held by an advisory lock of its database session.

A member that dies frees its place with its session. One that is stopped (SIGSTOP, a frozen virtual machine) keeps the
session open and would keep its place for ever: whoever waits ends a session that has asked for nothing for too long.
"""

import asyncio

from shared.database import Connection

STANDBY_SECONDS = 0.5


async def await_turn(conn: Connection, name: str, silent_seconds: float) -> None:
    """Returns when this session holds the place ``name``, until the session ends.

    A holder whose session has been silent for ``silent_seconds`` is ended; it has to ask for something, whatever it
    is, more often than that. The one who was ended may wake and believe that it still holds the place: what it then
    does outside this database has to be fenced there.
    """
    key: int = await conn.fetchval("SELECT hashtextextended($1, 0)", name)
    while not await conn.fetchval("SELECT pg_try_advisory_lock($1)", key):
        await conn.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
               WHERE locktype = 'advisory' AND granted AND objsubid = 1
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND classid::bigint << 32 | objid::bigint = $1 AND usename = current_user
               AND greatest(query_start, state_change) < clock_timestamp() - $2 * interval '1 second'""",
            key,
            silent_seconds,
        )
        await asyncio.sleep(STANDBY_SECONDS)
