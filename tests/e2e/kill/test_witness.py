"""A witness that is killed again and again, while two histories are handed in at once, vouches for one of them."""

import asyncio
import random
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from services.compliance.checkpoints.checkpoint import Checkpoint
from services.compliance.checkpoints.cosignature import CosignatureKey, open_cosigned
from services.compliance.log.tree import leaf_hash
from tests.e2e.kill.test_kill import SEEDS
from tests.parts.witness import WitnessProcess
from tests.small_log import ORIGIN, SmallLog, key_of

KILLS = 8
LONGEST = 0.25
KEY = key_of("north.example/witness", CosignatureKey)
HASH = sha256(ORIGIN.encode()).hexdigest()


class History(SmallLog):
    """A log of these entries, in all of whose names the log's own key signs."""

    def __init__(self, entries: Sequence[str] = ()) -> None:
        super().__init__()
        self.entries = tuple(entries)

    @property
    def size(self) -> int:
        """How many entries it has."""
        return len(self.entries)

    def leaf(self, index: int) -> bytes:
        """The hash of an entry."""
        return leaf_hash(self.entries[index].encode())

    def with_more(self, *entries: str) -> "History":
        """The same history, continued."""
        return History((*self.entries, *entries))

    def claimed(self) -> Checkpoint:
        """What is signed of all of it."""
        return self.checkpoint(self.size)


class Submitters:
    """Two that hold the log's key and each want another history, and all cosignatures that they were given."""

    def __init__(self, witness: WitnessProcess, rng: random.Random) -> None:
        self._witness, self._rng = witness, rng
        self._steps = 0
        self.history = History()
        self.tried: list[History] = []
        self.cosigned: dict[int, Checkpoint] = {}

    async def go_on(self, client: httpx.AsyncClient) -> None:
        """Hands in both histories, again and again, until the witness is gone."""
        is_there = True
        while is_there:
            self._steps += 1
            names = [f"{self._steps} {n}" for n in range(self._rng.randrange(1, 4))]
            self.tried = [self.history.with_more(*(f"{side} {n}" for n in names)) for side in ("one", "other")]
            self._rng.shuffle(self.tried)
            old = self.history
            answered = await asyncio.gather(*(self._submit(client, old, history) for history in self.tried))
            is_there = all(answered)

    async def _submit(self, client: httpx.AsyncClient, old: History, history: History) -> bool:
        try:
            answer = await client.post("/add-checkpoint", content=history.submission(old.size, history.size))
        except httpx.TransportError:
            return False
        if answer.status_code == httpx.codes.OK:
            self._note(history, answer.content)
        else:
            assert answer.status_code in (409, 422), answer.text
        return True

    def _note(self, history: History, line: bytes) -> None:
        checkpoint = history.claimed()
        public = KEY.verifier
        assert isinstance(public, CosignatureKey)
        open_cosigned(history.note(history.size) + line, [history.keys[0].verifier], [public], quorum=1)
        assert self.cosigned.setdefault(checkpoint.size, checkpoint) == checkpoint, "two histories were cosigned"
        self.history = history

    async def look(self, client: httpx.AsyncClient) -> None:
        """What the witness remembers is the last that it cosigned, or the last that it was asked for."""
        answer = await client.get(f"/{HASH}/checkpoint")
        if answer.status_code == httpx.codes.NOT_FOUND:
            assert not self.cosigned
            return
        found = Checkpoint.parse(answer.text.partition("\n\n")[0] + "\n")
        self.history = next(known for known in (self.history, *self.tried) if known.claimed() == found)
        assert found.size >= max(self.cosigned, default=0)

    async def attack(self, client: httpx.AsyncClient) -> None:
        """Every other history of each cosigned size is refused."""
        for size in sorted(self.cosigned)[-5:]:
            forged = History((*self.history.entries[: size - 1], "forged"))
            answer = await client.post("/add-checkpoint", content=forged.submission(0, size))
            assert answer.status_code in (409, 422)
            longer = forged.with_more(*("forged" for _ in range(self.history.size)))
            body = longer.submission(self.history.size, longer.size)
            assert (await client.post("/add-checkpoint", content=body)).status_code == 422


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", range(len(SEEDS)), ids=[f"witness-{number}" for number in range(len(SEEDS))])
async def test_killed_witness_vouches_for_one_history(
    tmp_path: Path, number: int, record_property: Callable[[str, object], None]
) -> None:
    """SIGKILL at any moment: no two cosignatures disagree, and none that was given is forgotten."""
    record_property("seed", SEEDS[number])
    rng = random.Random(SEEDS[number])
    witness = WitnessProcess(tmp_path, KEY, [key_of(ORIGIN).verifier])
    submitters = Submitters(witness, rng)
    try:
        for _ in range(KILLS):
            await asyncio.to_thread(witness.start)
            async with httpx.AsyncClient(base_url=witness.url) as client:
                await submitters.look(client)
                going_on = asyncio.create_task(submitters.go_on(client))
                await asyncio.wait([going_on], timeout=rng.uniform(0, LONGEST))
                witness.kill()
                await going_on
        await asyncio.to_thread(witness.start)
        async with httpx.AsyncClient(base_url=witness.url) as client:
            await submitters.look(client)
            await submitters.attack(client)
    finally:
        witness.stop()
    assert submitters.cosigned
