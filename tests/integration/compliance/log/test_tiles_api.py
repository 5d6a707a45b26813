"""The live log is one that public tools read: Tessera's fsck, Go's tlog, and our own proofs over HTTP."""

import re
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.compliance.log.entry import parse_entry
from services.compliance.log.hashing import leaf_hashes
from services.compliance.log.proofs import verify_consistency, verify_inclusion
from services.compliance.log.tiles import Bundle, bundles_of, tiles_of
from services.compliance.log.tree import leaf_hash
from shared.bus.postgres import PostgresBus
from tests.integration.compliance.log.live import KEY, URL, LiveLog, live_log
from tests.integration.compliance.publishing import COMPLIANCE
from tests.integration.conftest import Run
from tests.parts import go
from tests.parts.tessera import Verdict, fsck


@pytest.fixture
async def log(run: Run, bus: PostgresBus, database: str, tmp_path: Path) -> AsyncIterator[LiveLog]:
    """A log that runs."""
    async with live_log(run, bus, database, tmp_path) as log:
        yield log


async def test_fsck_confirms_the_live_log_as_it_grows(log: LiveLog, tmp_path: Path) -> None:
    """Below a bundle, beyond it, and over three partitions; with the token that an auditor has."""
    for count in (3, 300, 1200):
        checkpoint = await log.grow(count)
        verdict = await fsck(log.url, str(KEY.verifier), tmp_path, token=log.token)
        assert verdict.is_confirmed, verdict.words
        assert confirmed_size(verdict) >= checkpoint.size


def confirmed_size(verdict: Verdict) -> int:
    """Of the log that fsck has read: what it reads is recorded, so the log grows meanwhile."""
    found = re.search(r"Successfully fsck'd log with size (\d+) ", verdict.words)
    return int(found[1]) if found else 0


async def test_tiles_are_those_of_the_entries(log: LiveLog) -> None:
    """Each level-0 tile has the hashes of its bundle's entries, and the tiles of every checkpoint have its root."""
    first = await log.grow(300)
    second = await log.grow(400)
    for bundle in bundles_of(second.size):
        entries = await log.entries(bundle)
        assert (await log.get(bundle.leaves.path)).content == leaf_hashes(entries)
        assert [parse_entry(entry).site_id for entry in entries]
    for tile in tiles_of(second.size):
        assert len((await log.get(tile.path)).content) == tile.byte_count
    assert await log.root(first.size) == first.root
    assert await log.root(second.size) == second.root


async def test_go_confirms_the_proofs_of_the_live_log(log: LiveLog) -> None:
    """Inclusion and consistency, at the newest size and at an older one; Go's check and ours agree."""
    old = await log.grow(300)
    new = await log.grow(300)
    asked = []
    for size, index in [(new.size, 0), (new.size, 255), (new.size, new.size - 1), (old.size, 256)]:
        answer = (await log.get(f"proof/inclusion?index={index}&size={size}")).json()
        entry = (await log.entries(Bundle(index // 256, min(256, size - index // 256 * 256))))[index % 256]
        root, proof = (old if size == old.size else new).root, [*map(b64decode, answer["hashes"])]
        assert (b64decode(answer["leaf_hash"]), b64decode(answer["root"])) == (leaf_hash(entry), root)
        verify_inclusion(index, size, leaf_hash(entry), proof, root)
        asked.append(go.check_inclusion(index, size, leaf_hash(entry), proof, root))
    answer = (await log.get(f"proof/consistency?old={old.size}&new={new.size}")).json()
    assert (b64decode(answer["old_root"]), b64decode(answer["new_root"])) == (old.root, new.root)
    proof = [*map(b64decode, answer["hashes"])]
    verify_consistency(old.size, new.size, old.root, new.root, proof)
    asked.append(go.check_consistency(old.size, new.size, old.root, new.root, proof))
    assert {answer.error for answer in go.ask(*asked)} == {""}


async def test_headers_are_those_of_the_standard(log: LiveLog) -> None:
    """A tile never changes and is asked for once; a checkpoint is asked for each time, and not sent twice."""
    checkpoint = await log.grow(300)
    tile, note = await log.get("tile/0/000"), await log.get("checkpoint")
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    assert note.headers["cache-control"] == "private, no-cache"
    for path, answer in {"tile/0/000": tile, "checkpoint": note}.items():
        again = await log.auditor.get(URL + path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    older = await log.auditor.get(URL + "checkpoint", headers={"If-None-Match": note.headers["etag"]})
    await log.grow(1)
    newer = await log.auditor.get(URL + "checkpoint", headers={"If-None-Match": note.headers["etag"]})
    assert (older.status_code, newer.status_code) == (304, 200)
    listed = (await log.get("checkpoints?limit=1000")).json()["items"]
    assert checkpoint.size in [one["size"] for one in listed]
    assert listed[-1]["note"].encode() == newer.content
    for answer in (tile, await log.get("tile/entries/000")):
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


async def test_what_is_not_published_is_not_served(log: LiveLog) -> None:
    """Tiles beyond the checkpoint, names that no tile has, proofs for sizes and entries that are not there."""
    size = (await log.grow(300)).size
    for path in (f"tile/0/001.p/{size - 255}", "tile/0/002", "tile/1/000.p/2", "tile/2/000.p/1", "tile/63/000"):
        assert (await log.auditor.get(URL + path)).status_code == 404, path
    for path in ("tile/0/0", "tile/0/000.p/256", "tile/entries/x000/001", "tile/data/000", "tile/0/000/"):
        assert (await log.auditor.get(URL + path)).status_code == 404, path
    for query in (
        f"inclusion?index={size}",
        f"inclusion?index=0&size={size + 1}",
        "inclusion?index=5&size=5",
        f"consistency?old={size + 1}",
        f"consistency?old=1&new={size + 1}",
        "consistency?old=-1",
        "inclusion",
    ):
        assert (await log.auditor.get(f"{URL}proof/{query}")).status_code == 422, query


async def test_entries_are_for_the_auditors_of_all_sites(log: LiveLog) -> None:
    """An auditor of one hospital reads checkpoint, tiles and proofs, which show no entry; others read nothing."""
    await log.grow(300)
    of_one_site, operator = log.steward.as_("ned", "auditor:north"), log.steward.as_("olga", "operator:*")
    for path in ("checkpoint", "checkpoints", "tile/0/000", "tile/1/000.p/1", "proof/inclusion?index=3"):
        assert (await of_one_site.get(URL + path)).status_code == 200, path
        assert (await operator.get(URL + path)).status_code == 403, path
    for path in ("tile/entries/000", "tile/entries/000.p/7"):
        refused = await of_one_site.get(URL + path)
        assert refused.status_code == 403, path
        for hint in ("auditor:*", "steward log export evidence"):
            assert hint in refused.json()["detail"]
        assert (await log.auditor.get(URL + path)).status_code == 200, path


async def test_reading_entries_is_recorded_in_the_log(log: LiveLog) -> None:
    """Who read which bundle, before he got it; a hash tile tells nothing of an entry and is not recorded."""
    await log.grow(300)
    await log.get("tile/0/000")
    await log.get("tile/entries/000.p/7")
    recorded = await log.steward.heard.until("log.accessed")
    assert (recorded.actor, recorded.data.what) == ("audrey", "entries")
    assert recorded.data.parameters == {"resource": ["entries/000.p/7"]}
    assert [event.type for event in log.steward.heard.events].count("log.accessed") == 1


async def test_log_without_a_key_serves_nothing(run: Run) -> None:
    """Nothing is published, so there is no checkpoint to read the tiles by."""
    async with run(**COMPLIANCE) as steward:
        auditor = steward.as_("audrey", "auditor:*")
        for path in ("checkpoint", "tile/0/000.p/1", "proof/inclusion?index=0"):
            answer = await auditor.get(URL + path)
            assert (answer.status_code, answer.json()["detail"]) == (404, "no checkpoint of the log was published yet")
