"""The text that Prometheus scrapes, read by its own parser."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from services.probes.agents.domain import Agent
from services.probes.metrics.exposition import (
    AGENT_METRICS,
    FAMILIES,
    MOST_NUMBERS,
    OUTCOMES,
    PHASES,
    Standing,
    exposition,
    exposition_of_agents,
)

ROOT = Path(__file__).parents[4]
DASHBOARD = ROOT / "deploy/grafana/probes.json"
GUIDE = ROOT / "docs/guides/monitor.md"
PROBE = Standing(
    probe_id="dicom-echo:1",
    kind="dicom-echo",
    site_id="north",
    name="north-pacs",
    subject="1",
    system_id="2",
    interval_seconds=60.0,
    outcome="degraded",
    due_at=datetime(2026, 3, 1, tzinfo=UTC),
    in_window=True,
    phases={"tcp": 1.5, "dimse": 20.0},
    measures={"used_ratio": 0.7},
    alert_phase="pending",
    open_alerts=1,
)
LABELS = {"probe": "dicom-echo:1", "kind": "dicom-echo", "site": "north", "asset": "north-pacs"}


def scraped(*probes: Standing) -> dict[str, list[tuple[dict[str, str], float]]]:
    """What a scrape finds, by metric."""
    families = text_string_to_metric_families("".join(exposition(probes)))
    return {family.name: [(s.labels, s.value) for s in family.samples] for family in families}


def test_a_probe_by_hand() -> None:
    """Each family, in the base units of Prometheus."""
    assert scraped(PROBE) == {
        "steward_probe_info": [(LABELS | {"subject": "1", "system": "2"}, 1)],
        "steward_probe_interval_seconds": [(LABELS, 60)],
        "steward_probe_outcome": [(LABELS, 1)],
        "steward_probe_last_run_timestamp_seconds": [(LABELS, 1772323200)],
        "steward_probe_in_window": [(LABELS, 1)],
        "steward_probe_phase_seconds": [(LABELS | {"phase": "dimse"}, 0.02), (LABELS | {"phase": "tcp"}, 0.0015)],
        "steward_probe_measure": [(LABELS | {"measure": "used_ratio"}, 0.7)],
        "steward_probe_alert_state": [(LABELS, 1)],
        "steward_probe_alerts_open": [(LABELS, 1)],
    }


def test_probe_without_a_run_has_no_outcome() -> None:
    """It is there, and nothing is made up about it."""
    fresh = replace(PROBE, outcome=None, due_at=None, phases={}, measures={}, alert_phase="ok", open_alerts=0)
    found = scraped(fresh)
    assert found["steward_probe_info"]
    assert not found["steward_probe_outcome"]
    assert not found["steward_probe_in_window"]


@given(st.text(min_size=1), st.text(min_size=1), st.floats(-1e300, 1e300))
def test_any_name_and_number_comes_through(asset: str, measure: str, value: float) -> None:
    """Quotes, line feeds and backslashes too."""
    [(labels, found)] = scraped(replace(PROBE, name=asset, measures={measure: value}))["steward_probe_measure"]
    assert (labels["asset"], labels["measure"], found) == (asset, measure, value)


def test_series_of_a_probe_are_bounded() -> None:
    """However many numbers a plugin thinks of; and 3,000 probes come in pieces, each line once."""
    talkative = replace(PROBE, measures={f"m{number}": 1.0 for number in range(1000)})
    assert len(scraped(talkative)["steward_probe_measure"]) == MOST_NUMBERS
    many = [replace(PROBE, probe_id=str(number)) for number in range(3000)]
    assert len({labels["probe"] for labels, _ in scraped(*many)["steward_probe_outcome"]}) == 3000


def test_agents_are_told_of_by_their_vantage() -> None:
    """One that was never heard of has no lines."""
    seen = datetime(2026, 3, 1, tzinfo=UTC)
    agent = Agent(
        name="north-dmz", site_ids=["north"], probes=1, last_seen=seen, clock_offset_ms=3.0, waiting=7, lost=0,
        quarantined=2,
    )  # fmt: skip
    unheard = agent.model_copy(update={"name": "x", "last_seen": None, "waiting": None, "lost": None})
    text = "".join(exposition_of_agents([agent, unheard.model_copy(update={"quarantined": None})]))
    found = {family.name: family.samples for family in text_string_to_metric_families(text)}
    assert {name: [(s.labels, s.value) for s in samples] for name, samples in found.items()} == {
        "steward_agent_last_seen_timestamp_seconds": [({"vantage": "north-dmz"}, seen.timestamp())],
        "steward_agent_results_waiting": [({"vantage": "north-dmz"}, 7)],
        "steward_agent_results_lost": [({"vantage": "north-dmz"}, 0)],
        "steward_agent_results_quarantined": [({"vantage": "north-dmz"}, 2)],
    }


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard that is shipped."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def test_dashboard_names_only_metrics_and_labels_that_exist() -> None:
    """In its panels and its variables."""
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in panels() for target in panel.get("targets", [])]
    queries += [
        variable["query"]["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"
    ]
    named = {name for query in queries for name in re.findall(r"\bsteward_\w+", query)}
    assert named <= {family.name for family in FAMILIES}
    assert len(named) >= 6
    labels = {name for found in scraped(PROBE).values() for sample, _ in found for name in sample}
    for query in queries:
        assert set(re.findall(r"(\w+)=~?\"", query)) <= labels, query
        assert query.count("(") == query.count(")")
        assert query.count("{") == query.count("}")


def test_guide_tells_of_every_metric() -> None:
    """And of none that is not scraped; its numbers are the metrics' own."""
    guide = GUIDE.read_text()
    section = guide[guide.index("## What the probes see") : guide.index("## How long results are kept")]
    assert set(re.findall(r"steward_(?:probe|agent)_\w+", section)) == {family.name for family in FAMILIES} | {
        *AGENT_METRICS
    }
    for names in (OUTCOMES, PHASES):
        assert ", ".join(f"{number} {name}" for name, number in names.items()) in section


def test_dashboard_names_each_value_as_the_metric_does() -> None:
    """The words beside the numbers."""
    words = {
        int(value): shown["text"].replace(" ", "_")
        for panel in panels()
        if panel["title"] == "How each probe's last run ended"
        for mapping in panel["fieldConfig"]["defaults"]["mappings"]
        for value, shown in mapping["options"].items()
    }
    assert words == {number: name for name, number in OUTCOMES.items()}
    assert PHASES["firing"] == 2


def test_dashboard_fits_together() -> None:
    """Ids are unique, nothing overlaps in the 24 columns, all panels use the source that is chosen."""
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert all(0 <= x < 24 for x, _ in cells)
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
    dashboard = json.loads(DASHBOARD.read_text())
    assert (dashboard["schemaVersion"], dashboard["id"], dashboard["uid"]) == (39, None, "steward-probes")
