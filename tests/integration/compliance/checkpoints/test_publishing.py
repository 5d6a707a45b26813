"""What is published: signed, remembered outside the database, witnessed, and never less or other than before."""

import asyncio
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.compliance.__main__ import build
from services.compliance.checkpoints.checkpoint import SignedCheckpoint, open_checkpoint
from services.compliance.checkpoints.cosignature import open_cosigned
from services.compliance.checkpoints.manifest import site_lines, sites_root
from services.compliance.checkpoints.note import SignerKey
from services.compliance.log.entry import parse_entry
from services.compliance.log.tiles import Bundle, split_bundle
from services.compliance.settings import ComplianceSettings
from services.compliance.verify.database import DatabaseSource
from services.compliance.verify.handlers import Verification, verify
from services.compliance.verify.seals import Trust
from shared.bus.postgres import PostgresBus
from shared.events.inventory import SiteChanged
from tests.conftest import execute
from tests.harness import Harness
from tests.integration.compliance.publishing import AUDITOR, Sender
from tests.integration.compliance.witness import station
from tests.integration.conftest import Run
from tests.news import until
from tests.small_log import key_of

ORIGIN = "steward.example/log"
KEY = key_of(ORIGIN)
SEALED = "SELECT size > $1 AND size = (SELECT max(size) FROM checkpoints) FROM head"
COSIGNED = f"{SEALED} WHERE size = (SELECT max(size) FROM cosignatures)"


def compliance(folder: Path, **more: Any) -> dict[str, Any]:
    """Compliance with a key, a memory and brisk checkpoints."""
    signing = {"log_key": SecretStr(KEY.reveal()), "log_published": folder / "checkpoint"}
    return {"compliance": (build, ComplianceSettings, signing | {"log_checkpoint_interval": 0.05} | more)}


def site(version: int) -> SiteChanged:
    """Some event."""
    return SiteChanged(name="Northfield", time_zone="Europe/Berlin", version=version)


async def append(steward: Harness, sender: Sender, count: int = 3, wait: str = SEALED) -> None:
    """Adds some entries of two sites and waits until they are under a checkpoint."""
    pool = steward.pools["compliance"]
    size = await pool.fetchval("SELECT size FROM head")
    raws = [sender.event(site(n), site_id="north" if n % 2 else "south") for n in range(count)]
    await sender.send("site.changed", raws)
    await until(pool, wait, size + count)


async def newest(steward: Harness) -> bytes:
    """The newest checkpoint as it is served."""
    return (await steward.as_("audrey", *AUDITOR).get("/compliance/v1/log/checkpoint")).content


async def test_the_last_entry_below_every_checkpoint_is_a_manifest_that_counts_every_site(
    run: Run, bus: PostgresBus, tmp_path: Path
) -> None:
    """And its root is over exactly the lines of the sites that the entries give."""
    async with run(**compliance(tmp_path)) as steward:
        sender = Sender(bus, "inventory")
        for _ in range(3):
            await append(steward, sender)
        size = open_checkpoint(await newest(steward), [KEY.verifier]).size
        path = Bundle(0, size).path if size < 256 else ""
        raw = (await steward.as_("audrey", *AUDITOR).get(f"/compliance/v1/log/{path}")).content
        entries = [parse_entry(entry) for entry in split_bundle(Bundle(0, size), raw)]
        sizes = await steward.pools["compliance"].fetch("SELECT size FROM checkpoints ORDER BY size")
    assert len(sizes) >= 3
    for (published,) in sizes:
        below = entries[:published]
        manifest = json.loads(below[-1].event)
        heads = {entry.site_id: entry.site_sequence + 1 for entry in below}
        assert (manifest["type"], below[-1].site_id) == ("log.manifest", "group")
        assert manifest["data"]["sites"] == len(heads)
        assert b64decode(manifest["data"]["root"]) == sites_root(site_lines(heads))


async def test_what_is_served_is_what_is_remembered(run: Run, bus: PostgresBus, tmp_path: Path) -> None:
    """The file outside the database holds the newest checkpoint; a second start goes on from it."""
    sender = Sender(bus, "inventory")
    for _ in range(2):
        async with run(**compliance(tmp_path)) as steward:
            await append(steward, sender)
            served = open_checkpoint(await newest(steward), [KEY.verifier])
            kept = open_checkpoint((tmp_path / "checkpoint").read_bytes(), [KEY.verifier])
            assert (kept.size, kept.root) == (served.size, served.root)


async def test_witnesses_cosign_and_their_lines_are_served(
    run: Run, bus: PostgresBus, database: str, tmp_path: Path
) -> None:
    """Two hospitals vouch for each checkpoint; whoever trusts them both needs no trust in us, nor in the database."""
    second = key_of("south.example/witness", station.KEY.verifier.__class__)
    logs = [KEY]
    async with (
        station.running(station.settings(tmp_path / "north", logs=logs)) as north,
        station.running(station.settings(tmp_path / "south", logs=logs, key=second)) as south,
    ):
        named = f"{north.witness.key} {north.url} {south.witness.key} {south.url}"
        async with run(**compliance(tmp_path, log_witnesses=named)) as steward:
            sender = Sender(bus, "inventory")
            await append(steward, sender, wait=COSIGNED)
            await append(steward, sender, wait=COSIGNED)
            pool = steward.pools["compliance"]
            await until(pool, "SELECT count(*) = 2 FROM cosignatures WHERE size = (SELECT max(size) FROM checkpoints)")
            raw = await newest(steward)
    witnesses = (north.witness.key, south.witness.key)
    assert isinstance(open_cosigned(raw, [KEY.verifier], witnesses, 2), SignedCheckpoint)
    wanted = Verification(DatabaseSource(database), Trust((KEY.verifier,), witnesses, 2))
    report, _ = await asyncio.to_thread(verify, wanted)
    assert report.fault is None, str(report.fault)


async def test_a_witness_that_has_seen_another_history_is_an_event_and_one_alert(
    run: Run, bus: PostgresBus, tmp_path: Path, database: str
) -> None:
    """The log was begun anew under the same name and key: its witness refuses it, and everybody hears of it, once."""
    sender = Sender(bus, "inventory")
    async with station.running(station.settings(tmp_path / "north", logs=[KEY])) as north:
        named = f"{north.witness.key} {north.url}"
        async with run(**compliance(tmp_path, log_witnesses=named)) as steward:
            await append(steward, sender, 5, wait=COSIGNED)
        await forget_the_log(database)
        other = tmp_path / "other"
        other.mkdir()
        async with run(**compliance(other, log_witnesses=named)) as steward:
            refused = await steward.heard.until("witness.refused")
            alert = await steward.heard.until("alert.raised")
            for _ in range(3):
                await append(steward, sender)
            alerts = [event for event in steward.heard.events if event.type == "alert.raised"]
        assert refused.data.witness == alert.data.asset_name == north.key.verifier.name
        assert refused.data.refusal in ("forked", "shrunk")
        assert alert.data.severity == "critical"
        assert len(alerts) <= 2
        assert [refused["kind"] for refused in await north.refused()]


async def test_a_witness_that_does_not_answer_holds_up_nothing(
    run: Run, bus: PostgresBus, tmp_path: Path, unused_tcp_port: int
) -> None:
    """Checkpoints are published without its line."""
    key = station.KEY.verifier
    async with run(**compliance(tmp_path, log_witnesses=f"{key} http://127.0.0.1:{unused_tcp_port}")) as steward:
        await append(steward, Sender(bus, "inventory"))
        assert open_checkpoint(await newest(steward), [KEY.verifier]).size > 3
        assert not [event for event in steward.heard.events if event.type == "witness.refused"]


async def test_a_witness_that_was_away_cosigns_a_quiet_log_when_it_is_back(
    run: Run, bus: PostgresBus, tmp_path: Path, unused_tcp_port: int
) -> None:
    """Nothing happens any more, and the newest checkpoint gets its line all the same."""
    key = station.KEY.verifier
    async with run(**compliance(tmp_path, log_witnesses=f"{key} http://127.0.0.1:{unused_tcp_port}")) as steward:
        await append(steward, Sender(bus, "inventory"))
        before = open_checkpoint(await newest(steward), [KEY.verifier]).size
        async with station.running(station.settings(tmp_path / "north", logs=[KEY]), unused_tcp_port) as north:
            await until(steward.pools["compliance"], "SELECT max(size) = $1 FROM cosignatures", before)
        assert open_cosigned(await newest(steward), [KEY.verifier], [north.witness.key], 1).size == before


async def test_a_new_key_signs_beside_the_old_one_and_then_alone(run: Run, bus: PostgresBus, tmp_path: Path) -> None:
    """Each step verifies with the key that the verifiers have at that time."""
    fresh = SignerKey.from_seed(ORIGIN, bytes(range(32)))
    sender = Sender(bus, "inventory")
    async with run(**compliance(tmp_path)) as steward:
        await append(steward, sender)
    both = SecretStr(f"{KEY.reveal()} {fresh.reveal()}")
    async with run(**compliance(tmp_path, log_key=both)) as steward:
        await append(steward, sender)
        raw = await newest(steward)
    for key in (KEY, fresh):
        open_checkpoint(raw, [key.verifier])
    alone = compliance(tmp_path, log_key=SecretStr(fresh.reveal()), log_former_keys=str(KEY.verifier))
    async with run(**alone) as steward:
        await append(steward, sender)
        open_checkpoint(await newest(steward), [fresh.verifier])


async def test_a_manifest_beyond_the_log_is_not_signed_and_holds_up_nothing(
    run: Run, bus: PostgresBus, database: str, tmp_path: Path
) -> None:
    """A row that a restore of single tables has left, or somebody has put there, is none of the log's."""
    async with run(**compliance(tmp_path)) as steward:
        sender = Sender(bus, "inventory")
        await append(steward, sender)
    await execute(
        database,
        "INSERT INTO compliance.manifests SELECT 1000000, root, lines FROM compliance.manifests ORDER BY size LIMIT 1",
    )
    async with run(**compliance(tmp_path)) as steward:
        await append(steward, sender)
        assert open_checkpoint(await newest(steward), [KEY.verifier]).size < 1000


async def test_a_database_of_an_older_state_is_neither_appended_to_nor_signed(
    run: Run, bus: PostgresBus, tmp_path: Path, database: str
) -> None:
    """Readiness says what is wrong and what to do; the bus keeps what is new."""
    async with run(**compliance(tmp_path)) as steward:
        await append(steward, Sender(bus, "inventory"), 5)
    published = open_checkpoint((tmp_path / "checkpoint").read_bytes(), [KEY.verifier])
    await forget_the_log(database)
    async with run(**compliance(tmp_path)) as steward:
        ready = await ready_with(steward, "were published")
        assert await steward.pools["compliance"].fetchval("SELECT size FROM head") == 0
    assert f"the database has 0 entries, and {published.size} were published" in ready
    assert "restore the newest backup" in ready
    assert open_checkpoint((tmp_path / "checkpoint").read_bytes(), [KEY.verifier]) == published


async def test_a_log_without_a_key_goes_on_and_publishes_nothing(run: Run, bus: PostgresBus) -> None:
    """There is no checkpoint to serve, and the answer says so."""
    async with run(compliance=(build, ComplianceSettings, {})) as steward:
        await Sender(bus, "inventory").send("site.changed", [Sender(bus, "inventory").event(site(1))])
        await until(steward.pools["compliance"], "SELECT size > 1 FROM head")
        answer = await steward.as_("audrey", *AUDITOR).get("/compliance/v1/log/checkpoint")
    assert answer.status_code == 404


async def ready_with(steward: Harness, text: str) -> str:
    """What readiness says once ``text`` is in it."""
    while True:
        answer: httpx.Response = await steward.http.get("/compliance/health/ready")
        if text in answer.text:
            return answer.text


async def forget_the_log(database: str) -> None:
    """Puts the log's tables back to where they were before the first entry, as a restored backup would."""
    await execute(
        database,
        """TRUNCATE compliance.chunks, compliance.subtrees, compliance.events, compliance.mentions, compliance.days,
               compliance.sites, compliance.types, compliance.manifests, compliance.checkpoints,
               compliance.cosignatures, compliance.positions""",
    )
    await execute(
        database,
        """UPDATE compliance.head SET size = 0, tail = '', tail_hashes = '', recorded_at = NULL,
               leased_until = '-infinity'""",
    )


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    """The folders that the witnesses remember in."""
    for name in ("north", "south"):
        (tmp_path / name).mkdir()
