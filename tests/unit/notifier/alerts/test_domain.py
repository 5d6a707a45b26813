"""Which mails an alert needs, in whatever order its events come."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from services.notifier.alerts.domain import PATIENCE, KnownAlert, learn, wanted_notices
from shared.events.alerts import AlertRaised, AlertResolved, AlertTransitioned

NOW = datetime(2030, 6, 14, 20, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RAISED = AlertRaised(
    alert_id="a", check="echo", asset_name="x", severity="critical", summary="no answer", since=NOW - 60 * SECOND
)
RESOLVED = AlertResolved(
    alert_id="a", check="echo", asset_name="x", summary="answers", raised_at=NOW - 60 * SECOND, resolved_at=NOW
)
UNHEARD = KnownAlert("a", "north", "asset")


def test_a_raise_is_told_at_once_for_as_long_as_it_holds() -> None:
    [notice] = wanted_notices(learn(UNHEARD, RAISED, NOW), NOW)
    assert (notice.kind, notice.due_at, notice.expires_at) == ("alert_raised", NOW, None)


def test_both_are_told_when_it_was_over_before_its_mail_had_left() -> None:
    alert = learn(learn(UNHEARD, RAISED, NOW), RESOLVED, NOW)
    first, second = wanted_notices(alert, NOW)
    assert (first.kind, first.expires_at) == ("alert_raised", NOW)
    assert (second.kind, second.due_at) == ("alert_resolved", NOW)


def test_a_resolve_without_its_raise_waits_a_while_and_is_told_then() -> None:
    [notice] = wanted_notices(learn(UNHEARD, RESOLVED, NOW), NOW)
    assert (notice.kind, notice.due_at) == ("alert_resolved", NOW + PATIENCE)


def test_a_raise_that_comes_long_after_its_resolve_is_not_told() -> None:
    late = NOW + PATIENCE
    alert = learn(learn(UNHEARD, RESOLVED, NOW), RAISED, late)
    assert [notice.kind for notice in wanted_notices(alert, late)] == ["alert_resolved"]
    assert [notice.kind for notice in wanted_notices(alert, late - SECOND)] == ["alert_raised", "alert_resolved"]


def turned(what: Literal["escalated", "flapping", "recovering"]) -> AlertTransitioned:
    """A step of the alert."""
    return AlertTransitioned(
        probe_id="p",
        check="echo",
        asset_name="x",
        what=what,
        before="firing",
        after="firing",
        summary=what,
        at=NOW,
        alert_id="a",
        severity="critical",
    )


def test_each_turn_for_the_worse_is_told_once() -> None:
    """However often it is heard; it is a later revision of the notice that the alert was raised."""
    alert = learn(UNHEARD, RAISED, NOW)
    for told in (turned("escalated"), turned("flapping"), turned("escalated"), turned("flapping")):
        alert = learn(alert, told, NOW)
    notices = wanted_notices(alert, NOW)
    assert [(notice.kind, notice.revision) for notice in notices] == [
        ("alert_raised", 0),
        ("alert_raised", 1),
        ("alert_raised", 2),
    ]


def test_a_turn_that_comes_long_after_the_resolve_is_not_told() -> None:
    late = NOW + PATIENCE
    alert = learn(learn(learn(UNHEARD, RAISED, NOW), RESOLVED, NOW), turned("escalated"), late)
    assert [notice.kind for notice in wanted_notices(alert, late)] == ["alert_resolved"]
