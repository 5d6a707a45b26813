"""Random changes to every field and every row of a log's tables: each is detected, and told to be where it was made."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import asyncpg
import pytest

from services.compliance.verify.database import DatabaseReader, DatabaseSource
from services.compliance.verify.domain import Fault
from services.compliance.verify.handlers import Verification, verify
from tests.integration.compliance.verify.changes import Changed, Conn, change_something
from tests.integration.compliance.verify.stored import store_log
from tests.mutations import COUNT, chosen_seed
from tests.unit.compliance.verify.grown import TRUST, Grown, grown

LOGS = (grown(20), grown(20, seed=2), grown(5, most=400, every=5))
"""The last one has manifests so far apart that there are none in most bundles: these are checked at once."""

SHARES = len(LOGS)
SHARE = COUNT // 25 // SHARES


class Borrowed(DatabaseReader):
    """Reads in the test's transaction, and leaves its connection open."""

    def close(self) -> None:
        """Nothing of it is the verifier's."""


@dataclass(frozen=True, slots=True)
class Changing(DatabaseSource):
    """The log as the test's open transaction has changed it."""

    runner: asyncio.Runner | None = None
    conn: "Conn | None" = None

    def open(self) -> DatabaseReader:
        """Begins to read."""
        assert self.runner is not None
        assert self.conn is not None
        return Borrowed(self, self.runner, self.conn)


def is_located(fault: Fault, changed: Changed) -> bool:
    """Whether a fault names an entry that was touched, or what was changed."""
    within = any(first <= fault.first < max(end, first + 1) for first, end in changed.places)
    return within or any(word in fault.detail for word in changed.words)


@contextmanager
def borrowed(runner: asyncio.Runner, dsn: str, log: Grown) -> "Iterator[tuple[Changing, Conn]]":
    """A connection to a database with that log, and the log as this connection sees it."""
    runner.run(store_log(dsn, log))
    conn = runner.run(asyncpg.connect(dsn, server_settings={"search_path": "compliance"}))
    try:
        yield Changing(dsn, runner=runner, conn=conn), conn
    finally:
        runner.run(conn.close())


@pytest.mark.parametrize("share", range(SHARES))
def test_every_change_to_a_table_is_detected_and_located(database: str, share: int) -> None:
    """Whatever the database lets its owner do to one row or two."""
    seed = chosen_seed(share)
    random = Random(seed)
    with asyncio.Runner() as runner, borrowed(runner, database, LOGS[share]) as (source, conn):
        for _ in range(SHARE):
            transaction = conn.transaction()
            runner.run(transaction.start())
            changed = runner.run(change_something(random, conn))
            fault = verify(Verification(source, TRUST))[0].fault
            runner.run(transaction.rollback())
            told = f"{changed.what}, seed {seed}: {fault}"
            assert fault is not None, told
            assert is_located(fault, changed), told
