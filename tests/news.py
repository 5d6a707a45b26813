"""Lets a test await what a service's database will say: where TELL was run, its tables tell of every change."""

import asyncio

from shared.database import Pool

CHANGED = "test_changed"
WAIT_SECONDS = 60.0
TELL = """
    CREATE FUNCTION public.tell_test() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_notify('test_changed', ''); RETURN NULL; END $$;
    DO $$ DECLARE changing regclass; BEGIN
        FOR changing IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                        WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'bus') LOOP
            EXECUTE format('CREATE TRIGGER tell_test AFTER INSERT OR UPDATE OR DELETE ON %s
                            FOR EACH STATEMENT EXECUTE FUNCTION public.tell_test()', changing);
        END LOOP;
    END $$"""


async def until(pool: Pool, query: str, *args: object, sites: str | None = None) -> None:
    """Waits until the database answers ``query`` with true, at most WAIT_SECONDS.

    ``sites`` are those whose rows of the audit log can be seen, ``*`` all; without them, none.
    """
    changed = asyncio.Event()

    def tell(*_: object) -> None:
        changed.set()

    async with asyncio.timeout(WAIT_SECONDS), pool.acquire() as conn:
        await conn.add_listener(CHANGED, tell)
        try:
            # In a statement of its own: within one the planner may look at rows before it calls the function.
            if sites is not None:
                await conn.execute("SELECT set_config('steward.sites', $1, false)", sites)
            while not await conn.fetchval(query, *args):
                await changed.wait()
                changed.clear()
        finally:
            if sites is not None:
                await conn.execute("RESET steward.sites")
            await conn.remove_listener(CHANGED, tell)
