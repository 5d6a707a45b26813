"""Which counters follow from what probes measure."""

from hypothesis import given
from hypothesis import strategies as st

from services.inventory.usage.domain import COUNTERS, FEEDS, counters_in
from services.probes.kinds import KINDS

measures = st.dictionaries(st.sampled_from([*COUNTERS, "life_left_ratio", "total_seconds"]), st.floats(0, 1e9))


@given(st.sampled_from(["snmp", "redfish", "http"]), measures)
def test_only_known_counters_come_of_a_result(kind: str, seen: dict[str, float]) -> None:
    """A measure with a counter's name is that counter, whatever kind saw it; others feed what the table says."""
    found = counters_in(kind, seen)
    assert found.keys() <= COUNTERS.keys()
    assert all(name in found for name in COUNTERS.keys() & seen.keys())
    assert ("wear_percent" in found) == ("wear_percent" in seen or (kind == "redfish" and "life_left_ratio" in seen))


def test_what_feeds_a_counter_is_what_the_kinds_measure() -> None:
    """The table names kinds and measures that there are."""
    known = {kind.name: kind.measures for kind in KINDS}
    for kind, feeds in FEEDS.items():
        for feed in feeds:
            assert feed.counter in COUNTERS
            assert set(feed.measures) <= known[kind].keys(), (kind, feed)


def test_life_left_is_wear_turned_round() -> None:
    """Three quarters left are 25 percent worn."""
    assert counters_in("redfish", {"life_left_ratio": 0.75}) == {"wear_percent": 25}
    assert counters_in("snmp", {"in_errors_count": 2, "out_errors_count": 3}) == {"port_errors": 5}
    assert counters_in("dicom-echo", {}) == {}
