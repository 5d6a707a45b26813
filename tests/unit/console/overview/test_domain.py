"""Putting the answers together."""

from datetime import UTC, datetime

from services.console.answers import Part
from services.console.overview.domain import (
    Alert,
    Answers,
    AuditedEvent,
    Entry,
    Node,
    Result,
    Site,
    System,
    Target,
    put_together,
)

NOW = datetime(2026, 3, 1, 21, 14, tzinfo=UTC)
NORTH, SOUTH = Site(id="north", name="A north"), Site(id="south", name="B south")
SYSTEM = System(id="s1", site_id="north", name="Archive", state="in_service")
NODE = Node(id="n1", site_id="north", system_id="s1", name="Storage", state="in_service")
ALERT = Alert(site_id="south", subject="n2", asset_name="x", check="c", severity="critical", summary="s", since=NOW)


def result(outcome: str, kind: str = "dicom-echo") -> Result:
    """What a probe of NODE saw last."""
    return Result(kind=kind, started_at=NOW, outcome=outcome)


def test_sites_with_open_alerts_come_first() -> None:
    """One need not scroll to what burns."""
    answers = Answers(sites=Part((NORTH, SOUTH)), alerts=Part((ALERT,)))
    assert [view.site.id for view in put_together(answers, NOW).sites] == ["south", "north"]


def test_resolved_alerts_are_not_shown() -> None:
    """Even if a service tells of them."""
    over = ALERT.model_copy(update={"resolved_at": NOW})
    [view] = put_together(Answers(sites=Part((SOUTH,)), alerts=Part((over,))), NOW).sites
    assert view.alerts == ()


def test_each_kind_of_probe_shows_its_last_result() -> None:
    """The worst of them stands for the site."""
    target = Target(id="n1", last=(result("ok"), result("degraded", "tcp")))
    answers = Answers(sites=Part((NORTH,)), systems=Part((SYSTEM,)), nodes=Part((NODE,)), targets=Part((target,)))
    [view] = put_together(answers, NOW).sites
    [row] = view.systems[0].nodes
    assert [shown.outcome for shown in row.results] == ["ok", "degraded"]
    assert view.worst == "degraded"


def test_a_node_that_is_not_probed_shows_why_and_no_old_result() -> None:
    """What was seen before would be taken for how it is now."""
    target = Target(id="n1", probed=False, reason="the node is isolated", last=(result("failed"),))
    [view] = put_together(Answers(nodes=Part((NODE,)), targets=Part((target,))), NOW).sites
    [row] = view.systems[0].nodes
    assert (row.results, row.not_probed, view.worst) == ((), "the node is isolated", None)


def test_a_node_without_its_system_is_still_shown() -> None:
    """The system may be closed, or not readable."""
    [view] = put_together(Answers(nodes=Part((NODE,))), NOW).sites
    assert [(row.system, len(row.nodes)) for row in view.systems] == [(None, 1)]


def test_closed_assets_are_left_out() -> None:
    """They are history; the audit trail has them."""
    closed = NODE.model_copy(update={"state": "closed"})
    [view] = put_together(Answers(sites=Part((NORTH,)), nodes=Part((closed,))), NOW).sites
    assert view.systems == ()


def test_the_audit_trail_is_newest_first() -> None:
    """In whatever order the entries come."""
    event = AuditedEvent(type="window.scheduled", subject="n1", actor="a", time=NOW)
    entries = tuple(Entry(index=index, site_id="north", event=event) for index in (1, 3, 2))
    assert [entry.index for entry in put_together(Answers(entries=Part(entries)), NOW).entries] == [3, 2, 1]
