"""An alert's mails say what is wrong since when, and when it was over."""

from dataclasses import replace
from datetime import UTC, datetime

from services.notifier.alerts.wording import AlertWords, alert_content

ALERT = AlertWords(
    alert_id="a1",
    site_name="North Hospital",
    time_zone="Europe/Berlin",
    asset_name="ARCHIVE1",
    check="C-ECHO",
    severity="critical",
    summary="no answer for 60 s",
    since=datetime(2026, 6, 13, 20, tzinfo=UTC),
    contact="IT, +49 30 5550 100",
)


def test_a_critical_alert_says_what_to_expect_and_whom_to_call() -> None:
    content = alert_content(ALERT)
    assert content.subject == "[North Hospital] Critical: ARCHIVE1: no answer for 60 s"
    assert "Since:      Sat 13 Jun 2026, 22:00 CEST (20:00 UTC)" in content.text
    assert "images cannot be stored or opened" in content.text
    assert "WHOM TO CALL\nIT, +49 30 5550 100" in content.text


def test_a_warning_does_not_stop_anyone() -> None:
    content = alert_content(replace(ALERT, severity="warning"))
    assert content.subject.startswith("[North Hospital] Warning: ")
    assert "Go on working" in content.text


def test_a_fault_that_outlived_its_window_says_so() -> None:
    assert "Planned work on it has ended" in alert_content(replace(ALERT, persisted_past_window=True)).text


def test_a_resolved_alert_says_how_long_it_lasted() -> None:
    content = alert_content(replace(ALERT, resolved_at=datetime(2026, 6, 13, 21, 12, tzinfo=UTC)))
    assert content.subject == "[North Hospital] Resolved: ARCHIVE1: no answer for 60 s"
    assert "Over since: Sat 13 Jun 2026, 23:12 CEST (21:12 UTC)" in content.text
    assert "Lasted:     1 h 12 min" in content.text
