"""A log in a real database, filled as its writer fills it, and signed as its publisher signs."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.compliance.checkpoints.checkpoint import Checkpoint
from services.compliance.checkpoints.cosignature import CosignatureKey, cosign
from services.compliance.checkpoints.note import Signature, SignerKey, build_note
from services.compliance.checkpoints.store import insert_checkpoint, insert_cosignature
from services.compliance.log.append import grow
from services.compliance.log.domain import Arrival
from services.compliance.log.index import read_told
from services.compliance.log.store import append, select_state, take_lease
from shared.database import Connection, Pool
from shared.events.envelope import read_envelope

ORIGIN = "steward.example-hospitals.org/log"
KEY = SignerKey.from_seed(ORIGIN, b"k" * 32)
WITNESS = SignerKey.from_seed("witness.north.example.org", b"w" * 32, CosignatureKey)
SAMPLES = sorted((Path(__file__).parents[3] / "contract/events/samples").glob("*.json"))
START = datetime(2026, 4, 1, tzinfo=UTC)


def minute(number: float) -> datetime:
    """A time of the log."""
    return START + timedelta(minutes=number)


@dataclass
class FilledLog:
    """Appends batches; each one's events are of sites by chance, and all of the same minute."""

    pool: Pool
    epoch: int
    chance: random.Random

    async def fill(self, at: float, count: int, sites: Sequence[str] = ("north", "south", "group")) -> None:
        """Appends a batch of ``count`` events that is recorded at the minute ``at``."""
        arrivals = [self._arrival(self.chance.choice(sites)) for _ in range(count)]
        async with self._append() as conn:
            growth = grow(await select_state(conn), arrivals, minute(at))
            await append(conn, growth, epoch=self.epoch, lease_seconds=60)

    async def seal(self, at: float, *, cosigned: bool = True) -> bytes:
        """Closes the log with a manifest at the minute ``at``, and publishes its checkpoint."""
        async with self._append() as conn:
            growth = grow(await select_state(conn), [], minute(at), f"manifest-{at}")
            await append(conn, growth, epoch=self.epoch, lease_seconds=60)
            assert growth.manifest is not None
            text = str(Checkpoint(ORIGIN, growth.manifest.size, growth.manifest.root))
            note = build_note(text, [Signature(ORIGIN, KEY.verifier.key_id, KEY.sign(text.encode()))])
            await insert_checkpoint(conn, growth.manifest.size, note, minute(at))
            if cosigned:
                line = str(cosign(WITNESS, text, 1_800_000_000))
                await insert_cosignature(conn, growth.manifest.size, WITNESS.verifier.name, line)
        return note

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """As a request reads."""
        async with self.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            yield conn

    @asynccontextmanager
    async def _append(self) -> AsyncIterator[Connection]:
        async with self.pool.acquire() as conn, conn.transaction():
            await conn.execute("SET LOCAL steward.sites = '*'")
            yield conn

    def _arrival(self, site_id: str) -> Arrival:
        path = self.chance.choice(SAMPLES)
        raw = json.dumps(json.loads(path.read_bytes()) | {"siteid": site_id}, ensure_ascii=False).encode()
        envelope, _ = read_envelope(raw, topic=path.name.rpartition(".1.")[0], now=START)
        return Arrival(raw, envelope, read_told(envelope.data))


async def filled_log(pool: Pool) -> FilledLog:
    """An empty log that this test leads."""
    async with pool.acquire() as conn:
        epoch = await take_lease(conn, "test", 60, 1)
    assert epoch is not None
    return FilledLog(pool, epoch, random.Random(1))
