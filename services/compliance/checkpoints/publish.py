"""Publishing: each manifest is signed, remembered outside the database, shown, and taken to the witnesses."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from services.compliance.checkpoints import store
from services.compliance.checkpoints.checkpoint import Checkpoint, open_checkpoint
from services.compliance.checkpoints.keys import Keyring
from services.compliance.checkpoints.published import Published, PublishedMeanwhile
from services.compliance.checkpoints.witnesses import (
    Cosigned,
    Declined,
    Forked,
    Outcome,
    Shrunk,
    Unreachable,
    Witness,
    Witnesses,
)
from services.compliance.log.domain import Manifest, State
from services.compliance.log.handlers import read_tiles
from services.compliance.log.proofs import Proof, plan_consistency
from shared.database import Connection, Pool
from shared.events import GROUP
from shared.events.alerts import AlertRaised
from shared.events.compliance import WitnessRefused
from shared.telemetry import log
from shared.transactions import begin, new_id

SERVICE = "compliance"
FOLLOW_SECONDS = 10.0
_REFUSALS: dict[type[Outcome], Literal["forked", "shrunk", "declined"]] = {
    Forked: "forked",
    Shrunk: "shrunk",
    Declined: "declined",
}


class Unsigned:
    """In the place of a Publisher where the log has no key: nothing is signed, and nothing is promised."""

    async def guard(self, conn: Connection, state: State) -> None:
        """Nothing was published that the log would have to continue."""

    def sealed(self, manifest: Manifest) -> None:
        """Its manifest stays unsigned."""

    async def run(self) -> None:
        """Says so, once."""
        log.warning("log.unsigned", service=SERVICE, remedy="set STEWARD_LOG_KEY and STEWARD_LOG_PUBLISHED")
        await asyncio.Event().wait()


@dataclass
class Publisher:
    """Publishes what the writer seals."""

    pool: Pool
    keyring: Keyring
    path: Path
    witnesses: Witnesses
    _newest: "asyncio.Queue[Manifest]" = field(default_factory=lambda: asyncio.Queue(1))
    _published: Published | None = None
    _refused: set[tuple[str, type[Outcome]]] = field(default_factory=set)

    async def guard(self, conn: Connection, state: State) -> None:
        """Raises HistoryRewritten when the log in the database does not continue what was published."""
        published = self._load(may_begin=not await store.has_checkpoints(conn))
        if published.last is not None:
            size = published.last.size
            proof = await _prove(conn, size, state.size) if size <= state.size else []
            published.check(state.size, state.edge.root, proof)

    def sealed(self, manifest: Manifest) -> None:
        """Has a manifest published next, in the place of one that still waits."""
        if self._newest.full():
            self._newest.get_nowait()
        self._newest.put_nowait(manifest)

    async def run(self) -> None:
        """Publishes the newest manifest that is not published yet, then each that the writer adds."""
        async with self.pool.acquire() as conn:
            self._published = self._load(may_begin=not await store.has_checkpoints(conn))
            manifest = await store.select_unpublished(conn)
        while True:
            if manifest is not None:
                await self.publish(manifest)
            manifest = await self._next()

    async def _next(self) -> Manifest | None:
        """The next manifest to publish. While none comes, what another replica has published is remembered here too."""
        try:
            async with asyncio.timeout(FOLLOW_SECONDS):
                return await self._newest.get()
        except TimeoutError:
            await self._follow()
            await self._ask_again()
            return None

    async def _follow(self) -> None:
        async with self.pool.acquire() as conn:
            latest = await store.select_latest(conn)
        published = self._memory()
        if latest is not None and (published.last is None or latest.size > published.last.size):
            proof = await self._prove_continued(published, latest.size)
            await asyncio.to_thread(published.advance, latest.note.encode(), proof)

    async def _ask_again(self) -> None:
        """Takes the newest checkpoint to the witnesses that could not be reached: a quiet log makes no other soon."""
        refusing = {name for name, _ in self._refused}
        asked = {witness.key.name: witness for witness in self.witnesses.witnesses if witness.key.name not in refusing}
        async with self.pool.acquire() as conn:
            found = await store.select_uncosigned(conn, list(asked))
        if found is not None and found[1]:
            note, lacking = found
            signed = open_checkpoint(note.encode(), self.keyring.keys)
            await self._take_to([asked[name] for name in lacking], signed.checkpoint, note.encode())

    async def publish(self, manifest: Manifest) -> None:
        """Makes a checkpoint of the log up to ``manifest`` and shows it; the witnesses' lines follow.

        Raises HistoryRewritten where it does not continue what was published, and SigningFailed.
        """
        checkpoint = Checkpoint(self.keyring.origin, manifest.size, manifest.root)
        published = self._memory()
        if published.last is not None and manifest.size < published.last.size:
            return
        proof = await self._prove_continued(published, manifest.size)
        # Only what continues what was published gets a signature.
        published.check(manifest.size, manifest.root, proof)
        note = await self.keyring.sign(str(checkpoint))
        if not await self._remember(published, manifest, note, proof):
            return
        async with self.pool.acquire() as conn:
            await store.insert_checkpoint(conn, manifest.size, note, datetime.now(UTC))
        log.info("checkpoint.published", service=SERVICE, size=manifest.size)
        await self._take_to(self.witnesses.witnesses, checkpoint, note)

    async def _take_to(self, witnesses: Sequence[Witness], checkpoint: Checkpoint, note: bytes) -> None:
        async def prove(old_size: int) -> Sequence[bytes]:
            async with self.pool.acquire() as conn:
                return await _prove(conn, old_size, checkpoint.size)

        for witness, outcome in (await self.witnesses.cosign(witnesses, checkpoint, note, prove)).items():
            await self._settle(witness, checkpoint.size, outcome)

    async def _remember(self, published: Published, manifest: Manifest, note: bytes, proof: Proof) -> bool:
        """Whether this checkpoint is the newest; another process that writes to the same file may have been faster."""
        while published.last is None or published.last.size < manifest.size:
            try:
                await asyncio.to_thread(published.advance, note, proof)
            except PublishedMeanwhile:
                proof = await self._prove_continued(published, manifest.size)
            else:
                return True
        return published.last.size == manifest.size and published.last.root == manifest.root

    async def _prove_continued(self, published: Published, size: int) -> Proof:
        """That the log of that size continues what was published; empty where nothing was, or more than that."""
        if published.last is None or published.last.size > size:
            return []
        async with self.pool.acquire() as conn:
            return await _prove(conn, published.last.size, size)

    async def _settle(self, witness: Witness, size: int, outcome: Outcome) -> None:
        """Keeps a cosignature. What else came is logged, and a refusal is an event and an alert the first time."""
        name = witness.key.name
        if isinstance(outcome, Cosigned):
            self._refused = {refusal for refusal in self._refused if refusal[0] != name}
            async with self.pool.acquire() as conn:
                await store.insert_cosignature(conn, size, name, str(outcome.signature))
            return
        reason = outcome.reason if not isinstance(outcome, Shrunk) else f"it has cosigned {outcome.known_size} entries"
        log.warning("witness.refused", service=SERVICE, witness=name, outcome=type(outcome).__name__, reason=reason)
        if isinstance(outcome, Unreachable) or (name, type(outcome)) in self._refused:
            return
        if isinstance(outcome, Shrunk) and await self._has_published(outcome.known_size):
            return  # another replica was faster
        async with begin(self.pool, SERVICE) as tx:
            refused = WitnessRefused(witness=name, size=size, refusal=_REFUSALS[type(outcome)], reason=reason)
            tx.record(refused, subject=name, site_id=GROUP)
            raised = AlertRaised(
                alert_id=new_id(),
                check="audit log witness",
                asset_name=name,
                severity="critical" if isinstance(outcome, Forked | Shrunk) else "warning",
                summary=f"the witness does not cosign the audit log at {size} entries: {reason}",
                since=tx.now,
            )
            tx.record(raised, subject=name, site_id=GROUP)
        self._refused.add((name, type(outcome)))

    async def _has_published(self, size: int) -> bool:
        async with self.pool.acquire() as conn:
            return await store.select_latest(conn, size) is not None

    def _memory(self) -> Published:
        return self._published or self._load(may_begin=True)

    def _load(self, *, may_begin: bool) -> Published:
        return Published.load(self.path, self.keyring.origin, self.keyring.keys, may_begin=may_begin)


async def _prove(conn: Connection, old_size: int, size: int) -> Proof:
    plan = plan_consistency(old_size, size)
    [proof] = plan.solve(await read_tiles(conn, plan.tiles))
    return proof
