"""Putting the answers together."""

from datetime import UTC, datetime, timedelta

from services.console.overview.domain import (
    Alert,
    Answers,
    AuditedEvent,
    Entry,
    Node,
    Part,
    Result,
    Site,
    System,
    put_together,
)

NOW = datetime(2026, 3, 1, 21, 14, tzinfo=UTC)
NORTH, SOUTH = Site(id="north", name="A north"), Site(id="south", name="B south")
SYSTEM = System(id="s1", site_id="north", name="Archive", state="in_service")
NODE = Node(id="n1", site_id="north", system_id="s1", name="Storage", state="in_service")
ALERT = Alert(site_id="south", asset_name="x", check="c", severity="critical", summary="s", since=NOW)


def result(outcome: str, seconds: int, kind: str = "dicom-echo") -> Result:
    """A result of NODE, that long ago."""
    started_at = NOW - timedelta(seconds=seconds)
    return Result(subject="n1", site_id="north", kind=kind, started_at=started_at, outcome=outcome)


def test_sites_with_open_alerts_come_first() -> None:
    """One need not scroll to what burns."""
    answers = Answers(sites=Part((NORTH, SOUTH)), alerts=Part((ALERT,)))
    assert [view.site.id for view in put_together(answers).sites] == ["south", "north"]


def test_resolved_alerts_are_not_shown() -> None:
    """Even if a service tells of them."""
    over = ALERT.model_copy(update={"resolved_at": NOW})
    [view] = put_together(Answers(sites=Part((SOUTH,)), alerts=Part((over,)))).sites
    assert view.alerts == ()


def test_each_kind_of_probe_shows_its_last_result_in_whatever_order_they_come() -> None:
    """The worst of them stands for the site."""
    results = (result("failed", 70), result("ok", 10), result("degraded", 5, "tcp"), result("ok", 65, "tcp"))
    for order in (results, results[::-1]):
        answers = Answers(sites=Part((NORTH,)), systems=Part((SYSTEM,)), nodes=Part((NODE,)), results=Part(order))
        [view] = put_together(answers).sites
        [row] = view.systems[0].nodes
        assert [shown.outcome for shown in row.results] == ["ok", "degraded"]
        assert view.worst == "degraded"


def test_a_node_without_its_system_is_still_shown() -> None:
    """The system may be closed, or not readable."""
    [view] = put_together(Answers(nodes=Part((NODE,)))).sites
    assert [(row.system, len(row.nodes)) for row in view.systems] == [(None, 1)]


def test_closed_assets_are_left_out() -> None:
    """They are history; the audit trail has them."""
    closed = NODE.model_copy(update={"state": "closed"})
    [view] = put_together(Answers(sites=Part((NORTH,)), nodes=Part((closed,)))).sites
    assert view.systems == ()


def test_the_audit_trail_is_newest_first_and_without_routine() -> None:
    """Results of probes would be all one sees."""
    entries = [
        Entry(index=i, site_id="north", event=AuditedEvent(type=kind, subject="n1", actor="a", time=NOW))
        for i, kind in enumerate(["window.scheduled", "probe.result", "asset.changed"])
    ]
    assert [entry.index for entry in put_together(Answers(entries=Part(tuple(entries)))).entries] == [2, 0]
