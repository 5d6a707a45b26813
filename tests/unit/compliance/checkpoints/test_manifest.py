"""The manifest: one form, one root, whichever order the sites come in."""

import json
from base64 import b64decode
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.compliance.checkpoints.manifest import manifest_event, site_line, site_lines, sites_root
from services.compliance.log.hashing import leaf_hashes
from services.compliance.log.proofs import plan_inclusions, verify_inclusion
from services.compliance.log.tiles import Tile
from services.compliance.log.tree import EMPTY_ROOT

NOW = datetime(2026, 10, 25, 0, 59, 59, 123456, tzinfo=UTC)
heads = st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True), st.integers(1, 2**62), max_size=20)


@given(heads)
def test_one_line_is_proved_without_the_others(heads: dict[str, int]) -> None:
    """With the hashes on its way to the root, and nothing else."""
    lines = site_lines(heads)
    root = sites_root(lines)
    hashes = leaf_hashes(lines)
    for index, site_id in enumerate(sorted(heads)):
        plan = plan_inclusions([index], len(lines))
        [proof] = plan.solve(dict.fromkeys(plan.tiles, hashes) or {Tile(0, 0, len(lines)): hashes})
        leaf = leaf_hashes([site_line(site_id, heads[site_id])])
        verify_inclusion(index, len(lines), leaf, proof, root)


def test_sites_without_an_entry_have_no_line() -> None:
    """A root over none is that of the empty tree."""
    assert site_lines({"north": 0}) == []
    assert sites_root([]) == EMPTY_ROOT


def test_the_event_has_one_form() -> None:
    """The bytes are the same for the same facts."""
    raw = manifest_event({"south": 2, "group": 1}, event_id="m", time=NOW)
    assert raw == manifest_event({"group": 1, "south": 2}, event_id="m", time=NOW)
    event = json.loads(raw)
    assert (event["time"], event["siteid"], event["data"]["sites"]) == ("2026-10-25T00:59:59.123456Z", "group", 2)
    assert b64decode(event["data"]["root"]) == sites_root([b"group 1", b"south 2"])
