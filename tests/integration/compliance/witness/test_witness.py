"""A witness over real HTTP: what it answers by the protocol, what it keeps, and whom it tells."""

import asyncio
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from services.compliance.checkpoints.checkpoint import open_checkpoint
from services.compliance.checkpoints.cosignature import CosignatureKey, open_cosigned
from services.compliance.checkpoints.submission import MAX_SUBMISSION_BYTES, build_submission
from services.compliance.witness import api, domain
from services.compliance.witness.ledger import LedgerUnreadable
from services.compliance.witness.settings import WitnessSettings
from shared.errors import WrongSetting
from shared.settings import load
from tests.integration.compliance.witness.station import KEY, Running, running, serving, settings
from tests.small_log import ORIGIN, SmallLog, key_of

LOG, FORGED = SmallLog(), SmallLog(forged_from=3)
LOG_KEY = LOG.keys[0].verifier
HASH = sha256(ORIGIN.encode()).hexdigest()


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Running]:
    """A witness of the small log."""
    async with running(settings(tmp_path)) as started:
        yield started


def cosigners_of(note: bytes, *keys: CosignatureKey) -> int:
    """How many of the witnesses have cosigned; the log has."""
    return sum(open_cosigned(note, [LOG_KEY], keys, 0).note.signed_by(key) is not None for key in keys)


async def test_growing_log_is_cosigned(station: Running) -> None:
    old = 0
    for size in (1, 2, 5, 8, 8, 300):
        answer = await station.submit(LOG.submission(old, size))
        assert answer.status_code == 200, answer.text
        assert cosigners_of(LOG.note(size) + answer.content, station.witness.key) == 1
        old = size


async def test_last_checkpoint_is_shown_with_both_signatures(station: Running) -> None:
    assert (await station.http.get(f"/{HASH}/checkpoint")).status_code == 404
    answer = await station.submit(LOG.submission(0, 5))
    shown = await station.http.get(f"/{HASH}/checkpoint")
    assert cosigners_of(shown.content, station.witness.key) == 1
    assert shown.content.endswith(answer.content)
    assert (await station.http.get(f"/{'0' * 64}/checkpoint")).status_code == 404


async def test_conflict_tells_the_size_in_its_own_type(station: Running) -> None:
    await station.submit(LOG.submission(0, 5))
    answer = await station.submit(LOG.submission(4, 8))
    assert (answer.status_code, answer.content) == (409, b"5\n")
    assert answer.headers["content-type"].partition(";")[0] == "text/x.tlog.size"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (LOG.submission(0, 5).replace(b"old", b"new"), 400),
        (build_submission(9, [], LOG.note(5)), 400),
        (SmallLog("elsewhere.example/log").submission(0, 5), 404),
        (build_submission(0, [], LOG.note(5, key_of(ORIGIN, number=1))), 403),
        (build_submission(0, [], LOG.note(5).replace(b"\n5\n", b"\n6\n")), 403),
        (build_submission(0, [LOG.root(1)], LOG.note(5)), 422),
        (b"x" * (MAX_SUBMISSION_BYTES + 1), 413),
    ],
)
async def test_other_requests_are_refused(station: Running, body: bytes, status: int) -> None:
    """Nothing is cosigned, nothing is remembered, and nobody is accused."""
    assert (await station.submit(body)).status_code == status
    assert (await station.http.get(f"/{HASH}/checkpoint")).status_code == 404
    assert await station.refused() == []


async def test_unknown_signatures_do_no_harm(station: Running) -> None:
    """Nor are they kept."""
    stranger = key_of("stranger.example/log")
    answer = await station.submit(build_submission(0, [], LOG.note(5, stranger, *LOG.keys)))
    assert answer.status_code == 200
    assert b"stranger" not in (await station.http.get(f"/{HASH}/checkpoint")).content


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("fork", build_submission(5, [], FORGED.note(5))),
        ("fork", build_submission(0, [], FORGED.note(5))),
        ("unproven", FORGED.submission(5, 8)),
        ("unproven", build_submission(5, LOG.consistency(5, 8), FORGED.note(8))),
        ("shrunk", LOG.submission(0, 4)),
        ("shrunk", FORGED.submission(0, 4)),
    ],
)
async def test_contradictions_are_refused_and_kept(
    station: Running, kind: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both checkpoints as the log has signed them; once, however often they come."""
    monkeypatch.setattr(domain, "LATE_SECONDS", 0)
    await station.submit(LOG.submission(0, 5))
    for _ in range(3):
        assert (await station.submit(body)).status_code in (409, 422)
    [found] = await station.refused()
    assert (found["kind"], found["origin"]) == (kind, ORIGIN)
    known, refused = (open_checkpoint(found[name].encode(), [LOG_KEY]) for name in ("known", "refused"))
    assert known.checkpoint == LOG.checkpoint(5)
    assert refused.checkpoint != known.checkpoint
    assert (await station.http.get(f"/{HASH}/checkpoint")).content.startswith(str(LOG.checkpoint(5)).encode())


async def test_honest_log_goes_on_beside_a_forged_one(station: Running) -> None:
    """Whoever hands in forgeries or nonsense does not keep the log from being witnessed."""
    await station.submit(LOG.submission(0, 5))
    await station.submit(FORGED.submission(5, 8))
    assert (await station.submit(LOG.submission(5, 8))).status_code == 200


async def test_of_two_histories_at_once_one_is_cosigned(station: Running) -> None:
    """Many submitters, two histories, the same moment: the first wins, and the other is a contradiction."""
    await station.submit(LOG.submission(0, 3))
    sides = [log for _ in range(10) for log in (LOG, FORGED)]
    answers = await asyncio.gather(*(station.submit(log.submission(3, 8)) for log in sides))
    won = {log.forged for log, answer in zip(sides, answers, strict=True) if answer.status_code == 200}
    assert len(won) == 1
    assert [found["kind"] for found in await station.refused()] == ["fork"]


async def test_two_submitters_of_one_log_both_get_on(station: Running) -> None:
    """Each goes on from the size that it is told; who comes late is not accused."""

    async def submit_all(sizes: range) -> None:
        known = 0
        for size in sizes:
            while known < size:
                answer = await station.submit(LOG.submission(known, size))
                known = size if answer.status_code == 200 else int(answer.text)

    async with asyncio.timeout(60):
        await asyncio.gather(submit_all(range(1, 60, 2)), submit_all(range(2, 60, 2)))
    assert await station.refused() == []
    assert (await station.http.get(f"/{HASH}/checkpoint")).text.startswith(str(LOG.checkpoint(59)))


async def test_memory_outlives_the_witness(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as station:
        await station.submit(LOG.submission(0, 5))
        await station.submit(FORGED.submission(5, 8))
    async with running(settings(tmp_path)) as station:
        assert (await station.submit(LOG.submission(0, 8))).content == b"5\n"
        assert (await station.submit(FORGED.submission(5, 9))).status_code == 422
        assert (await station.submit(LOG.submission(5, 8))).status_code == 200
        assert [found["kind"] for found in await station.refused()] == ["unproven", "unproven"]


async def test_logs_do_not_mix(tmp_path: Path) -> None:
    other = SmallLog("other.example/log")
    async with running(settings(tmp_path, logs=[*LOG.keys, *other.keys])) as station:
        assert (await station.submit(LOG.submission(0, 5))).status_code == 200
        assert (await station.submit(other.submission(0, 3))).status_code == 200
        assert (await station.submit(build_submission(0, [], other.note(3, *LOG.keys)))).status_code == 403
        assert (await station.submit(LOG.submission(5, 8))).status_code == 200


async def test_keys_of_a_log_are_replaced_with_overlap(tmp_path: Path) -> None:
    """Also where the last checkpoint that is kept was signed by the old key alone."""
    new = key_of(ORIGIN, number=1)
    async with running(settings(tmp_path)) as station:
        assert (await station.submit(LOG.submission(0, 5))).status_code == 200
    async with running(settings(tmp_path, logs=[*LOG.keys, new])) as station:
        both = build_submission(5, LOG.consistency(5, 6), LOG.note(6, *LOG.keys, new))
        assert (await station.submit(both)).status_code == 200
    async with running(settings(tmp_path, logs=[new])) as station:
        only_new = build_submission(6, LOG.consistency(6, 8), LOG.note(8, new))
        assert (await station.submit(only_new)).status_code == 200
        assert (await station.submit(LOG.submission(8, 9))).status_code == 403


async def test_folder_has_one_witness(tmp_path: Path) -> None:
    async with running(settings(tmp_path)):
        with pytest.raises(WrongSetting, match="STEWARD_WITNESS_STATE: another witness works in"):
            async with running(settings(tmp_path)):
                pass


DAMAGE = [b"", b"nonsense", LOG.note(5)[:-9], SmallLog("other.example/log").note(5)]


@pytest.mark.parametrize("damage", DAMAGE, ids=["empty", "nonsense", "cut", "another log's"])
async def test_damaged_memory_cosigns_nothing(tmp_path: Path, damage: bytes) -> None:
    """While it runs the witness says that it is not ready, and it does not start."""
    async with running(settings(tmp_path)) as station:
        await station.submit(LOG.submission(0, 5))
        assert (await station.http.get("/health/ready")).status_code == 200
        (tmp_path / "logs" / f"{HASH}.checkpoint").write_bytes(damage)
        assert (await station.submit(LOG.submission(5, 8))).status_code in (500, 503)
        assert (await station.http.get("/health/ready")).status_code == 503
        assert (await station.http.get("/health/live")).status_code == 200
    with pytest.raises(LedgerUnreadable, match=r"Nothing of steward\.example/log is cosigned"):
        async with running(settings(tmp_path)):
            pass


async def test_disk_that_takes_nothing_gives_no_cosignature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same request succeeds when the disk is back."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with running(settings(tmp_path)) as station:
        await station.submit(LOG.submission(0, 5))
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", full)
            answer = await station.submit(LOG.submission(5, 8))
            assert answer.status_code >= 500
            assert (await station.submit(FORGED.submission(5, 8))).status_code == 422
        assert (await station.http.get(f"/{HASH}/checkpoint")).text.startswith(str(LOG.checkpoint(5)))
        assert (await station.submit(LOG.submission(5, 8))).status_code == 200


async def test_metrics_tell_what_came_of_requests(station: Running) -> None:
    await station.submit(LOG.submission(0, 5))
    await station.submit(FORGED.submission(5, 8))
    shown = (await station.http.get("/metrics")).text
    assert f'steward_witness_size{{origin="{ORIGIN}"}} 5.0' in shown
    assert "steward_witness_contradictions 1.0" in shown
    assert 'steward_witness_requests_total{outcome="unproven"}' in shown


async def test_slow_body_is_not_waited_for(station: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "BODY_SECONDS", 0.3)
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(station.url).port)
        writer.write(b"POST /add-checkpoint HTTP/1.1\r\nHost: witness\r\nContent-Length: 100\r\n\r\nold ")
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()
        await writer.wait_closed()
        assert (await station.submit(LOG.submission(0, 5))).status_code == 200


class Hook:
    """An alert URL that refuses the first posts, and those of one kind always."""

    def __init__(self, refusals: int, refused_kind: str = "") -> None:
        self.app = FastAPI()
        self.taken: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self._refusals, self._refused_kind = refusals, refused_kind
        self.app.post("/hook")(self._take)

    async def _take(self, request: Request) -> Response:
        body = await request.json()
        if self._refusals or body["kind"] == self._refused_kind:
            self._refusals = max(0, self._refusals - 1)
            return Response(status_code=503)
        self.taken.put_nowait(body)
        return Response(status_code=204)


async def test_alert_is_posted_until_it_is_taken(tmp_path: Path) -> None:
    """Once; and not again after a restart."""
    hook = Hook(refusals=1)
    async with serving(hook.app) as url, asyncio.timeout(30):
        wanted = settings(tmp_path, alert_url=f"{url}/hook")
        async with running(wanted) as station:
            await station.submit(LOG.submission(0, 5))
            await station.submit(FORGED.submission(5, 8))
            told = await hook.taken.get()
            [kept] = await station.refused()
            assert told == {"witness": str(KEY.verifier)} | kept
        async with running(wanted) as station:
            await station.submit(build_submission(5, [], FORGED.note(5)))
            assert (await hook.taken.get())["kind"] == "fork"
    assert hook.taken.empty()


async def test_alert_that_is_never_taken_does_not_hold_up_others(tmp_path: Path) -> None:
    hook = Hook(refusals=0, refused_kind="unproven")
    async with serving(hook.app) as url, running(settings(tmp_path, alert_url=f"{url}/hook")) as station:
        await station.submit(LOG.submission(0, 5))
        await station.submit(FORGED.submission(5, 8))
        await station.submit(build_submission(5, [], FORGED.note(5)))
        async with asyncio.timeout(30):
            assert (await hook.taken.get())["kind"] == "fork"


async def test_alert_that_was_not_taken_is_posted_after_a_restart(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as station:
        await station.submit(LOG.submission(0, 5))
        await station.submit(FORGED.submission(5, 8))
    hook = Hook(refusals=0)
    async with serving(hook.app) as url, running(settings(tmp_path, alert_url=f"{url}/hook")), asyncio.timeout(30):
        assert (await hook.taken.get())["kind"] == "unproven"


def load_all(environment: dict[str, str]) -> WitnessSettings:
    """The settings, with all that is read of them at the start."""
    loaded = load(WitnessSettings, environment)
    loaded.key()
    loaded.logs()
    return loaded


RIGHT = {
    "STEWARD_WITNESS_KEY": KEY.reveal(),
    "STEWARD_WITNESS_LOGS": str(LOG_KEY),
    "STEWARD_WITNESS_STATE": "/var/lib/steward-witness",
}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("STEWARD_WITNESS_KEY", LOG.keys[0].reveal(), "needed is a witness's key"),
        ("STEWARD_WITNESS_KEY", KEY.reveal()[:-3], "STEWARD_WITNESS_KEY"),
        ("STEWARD_WITNESS_LOGS", str(KEY.verifier), "needed is a log's key"),
        ("STEWARD_WITNESS_LOGS", " ", "names no log"),
        ("STEWARD_WITNESS_STATE", "state", "must be an absolute path"),
        ("STEWARD_WITNESS_ALERT_URL", "alerts@north.example", "must be an http"),
    ],
)
def test_wrong_settings_are_named_and_the_key_not_shown(name: str, value: str, told: str) -> None:
    with pytest.raises(WrongSetting, match=told) as caught:
        load_all(RIGHT | {name: value})
    assert KEY.reveal().rpartition("+")[2][:20] not in str(caught.value)
    assert KEY.reveal() not in repr(load_all(RIGHT))
