"""What people read about a maintenance window, in mails that really arrive."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.events import Event
from shared.events.inventory import AssetChanged
from shared.events.maintenance import (
    SystemRef,
    WindowCancelled,
    WindowEnded,
    WindowRescheduled,
    WindowScheduled,
    WindowStarted,
)
from tests.integration.notifier.conftest import Open
from tests.integration.notifier.stage import (
    ARCHIVE,
    HOUR,
    SITE,
    STARTS,
    WINDOW,
    Stage,
    calendar_of,
    part,
    subjects,
    window,
)
from tests.parts.smtp import Reply

A_DAY_AHEAD = """UPDATE windows SET facts = jsonb_set(facts, '{starts_at}', to_jsonb(now() + interval '24 hours'));
                 UPDATE notices SET due_at = now() WHERE state = 'planned';
                 NOTIFY steward_notifier"""
"""Lets the time come at which a window is a day ahead."""


def told(delivery_id: str) -> Callable[[Event[Any]], bool]:
    """Whether an event is about that delivery."""
    return lambda event: bool(event.data.delivery_id == delivery_id)


async def populate(on: Stage) -> None:
    """A clinician at the site who reads mail."""
    await on.settle_site()
    await on.settle_person("ana")


async def test_scheduled_window_is_announced_once_to_each_active_person_of_the_site(stage: Open) -> None:
    """Its staff get it as text, HTML and a request; nobody else does; notice.sent says so."""
    async with stage() as on:
        await on.settle_site()
        await on.settle_person("ana")
        await on.settle_person("ben", "admin")
        await on.settle_person("vic", "vendor")
        await on.settle_person("pia", "privacy")
        await on.settle_person("eve", active=False)
        await on.settle_person("sam", site_id="south")
        await on.tell_window(window(WindowScheduled))
        mails = await on.mails(2)
        assert {mail.rcpt_to for mail in mails} == {"ana@north.example", "ben@north.example"}
        message = mails[0].message
        assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html", "text/calendar"]
        calendar = calendar_of(message)
        assert (calendar["METHOD"], calendar.events[0]["SEQUENCE"]) == ("REQUEST", 0)
        assert calendar.events[0]["ORGANIZER"] == "mailto:steward@group.example"
        delivered = await on.until_settled("announcement", 2)
        assert [d["state"] for d in delivered] == ["accepted", "accepted"]
        scheduled = await on.steward.heard.until("window.scheduled")
        sent = [await on.steward.heard.until("notice.sent", told(d["id"])) for d in delivered]
        assert [(e.site_id, e.data.about, e.data.person_id) for e in sent] == [
            ("north", WINDOW, "ana"),
            ("north", WINDOW, "ben"),
        ]
        assert {(e.correlation_id, e.causation_id) for e in sent} == {(scheduled.correlation_id, scheduled.id)}
        assert [e.data.message_id for e in sent] == [d["message_id"] for d in delivered]
        assert {mail.message["Message-ID"] for mail in mails} == {d["message_id"] for d in delivered}


async def test_mail_shows_the_time_of_the_site(stage: Open) -> None:
    """20:00 UTC in June is 22:00 in Berlin, in text and HTML."""
    async with stage() as on:
        await populate(on)
        await on.tell_window(window(WindowScheduled))
        [mail] = await on.mails(1)
        for subtype in ("plain", "html"):
            assert "Fri 14 Jun 2030, 22:00 CEST (20:00 UTC)" in part(mail.message, subtype)
        assert (
            "[Northfield General Hospital] Planned downtime: North archive, Fri 14 Jun 2030" in mail.message["Subject"]
        )


async def test_reschedule_moves_the_entry_and_cancellation_removes_it(stage: Open) -> None:
    """The same UID with a growing SEQUENCE, then METHOD:CANCEL; all of it in one thread."""
    async with stage() as on:
        await populate(on)
        await on.tell_window(window(WindowScheduled))
        await on.mails(1)
        later: dict[str, Any] = {
            "starts_at": STARTS + 24 * HOUR,
            "previous_starts_at": STARTS,
            "previous_ends_at": STARTS + 4 * HOUR,
        }
        await on.tell_window(window(WindowRescheduled, revision=1, **later))
        await on.mails(2)
        await on.tell_window(window(WindowCancelled, revision=2, cancellation_reason="The vendor is ill"))
        mails = [mail.message for mail in await on.mails(3)]
        calendars = [calendar_of(mail) for mail in mails]
        assert [calendar["METHOD"] for calendar in calendars] == ["REQUEST", "REQUEST", "CANCEL"]
        assert [calendar.events[0]["SEQUENCE"] for calendar in calendars] == [0, 1, 2]
        assert len({calendar.events[0]["UID"] for calendar in calendars}) == 1
        assert len({mail["References"] for mail in mails}) == 1
        assert "Before:     Fri 14 Jun 2030, 22:00–02:00 CEST" in part(mails[1], "plain")
        assert "The vendor is ill" in part(mails[2], "plain")


async def test_reminder_goes_out_once_at_its_time(stage: Open) -> None:
    """24 hours ahead, after the announcement, and never again."""
    async with stage() as on:
        await populate(on)
        starts_at = datetime.now(UTC) + 25 * HOUR
        long_ago = datetime.now(UTC) - timedelta(days=10)
        await on.tell_window(window(WindowScheduled, starts_at=starts_at), now=long_ago)
        assert subjects(await on.mails(1)) == ["Planned downtime"]
        pool = on.steward.pools["notifier"]
        assert await pool.fetchval("SELECT due_at FROM notices WHERE state = 'planned'") == starts_at - 24 * HOUR
        await pool.execute(A_DAY_AHEAD)
        assert subjects(await on.mails(2)) == ["Planned downtime", "Reminder"]
        await on.tell_window(window(WindowStarted, starts_at=starts_at))
        assert subjects(await on.mails(3)) == ["Planned downtime", "Reminder", "Started"]


async def test_late_planning_is_told_as_short_notice_and_recorded(stage: Open) -> None:
    """Under seven days ahead the mail says so, and the notice has the breach; under 24 hours no reminder follows."""
    async with stage() as on:
        await populate(on)
        await on.tell_window(window(WindowScheduled, starts_at=datetime.now(UTC) + HOUR))
        assert subjects(await on.mails(1)) == ["Short notice"]
        [notice] = (await on.steward.admin.get("/notifier/v1/notices")).json()["items"]
        assert (notice["kind"], notice["breaches_lead_time"], notice["state"]) == ("short_notice", True, "addressed")


async def test_start_and_finish_are_told_when_they_happen(stage: Open) -> None:
    """With the real times, and without an invitation."""
    async with stage() as on:
        await populate(on)
        soon: dict[str, Any] = {"starts_at": datetime.now(UTC) + HOUR}
        await on.tell_window(window(WindowScheduled, **soon))
        await on.mails(1)
        await on.tell_window(window(WindowStarted, **soon))
        await on.mails(2)
        await on.tell_window(window(WindowEnded, **soon))
        mails = await on.mails(3)
        assert subjects(mails) == ["Short notice", "Started", "Finished"]
        assert all(p.get_content_type() != "text/calendar" for mail in mails[1:] for p in mail.message.walk())


async def test_events_that_overtake_each_other_do_not_confuse(stage: Open) -> None:
    """An end before its start and a revision older than the known one: nobody reads what no longer holds."""
    async with stage() as on:
        await populate(on)
        began = datetime.now(UTC)
        soon: dict[str, Any] = {"starts_at": began + HOUR}
        moved: dict[str, Any] = soon | {"previous_starts_at": STARTS, "previous_ends_at": STARTS + HOUR}
        await on.tell_window(window(WindowEnded, revision=1, **soon))
        await on.until("SELECT ended_at IS NOT NULL FROM windows")
        await on.tell_window(window(WindowStarted, revision=1, **soon), now=began)
        await on.until("SELECT started_at IS NOT NULL FROM windows")
        await on.tell_window(window(WindowScheduled), now=began - 2 * HOUR)
        await on.tell_window(window(WindowRescheduled, revision=1, **moved), now=began - HOUR)
        assert subjects(await on.mails(1)) == ["Finished"]
        assert [d["state"] for d in await on.until_settled("changed", 1)] == ["superseded"]
        assert [d["state"] for d in await on.until_settled("started", 1)] == ["superseded"]
        kinds = {n["kind"] for n in (await on.steward.admin.get("/notifier/v1/notices")).json()["items"]}
        assert "announcement" not in kinds


async def test_a_start_that_overtakes_its_announcement_waits_for_it(stage: Open) -> None:
    """Both go out together: nobody reads of work on a window that was never announced."""
    async with stage() as on:
        await populate(on)
        soon: dict[str, Any] = {"starts_at": datetime.now(UTC) + HOUR}
        announced_at = datetime.now(UTC)
        await on.tell_window(window(WindowStarted, **soon))
        await on.until("SELECT true FROM notices WHERE kind = 'started'")
        await on.tell_window(window(WindowScheduled, **soon), now=announced_at)
        assert sorted(subjects(await on.mails(2))) == ["Short notice", "Started"]


async def test_announcement_of_a_cancelled_window_is_not_sent_any_more(stage: Open) -> None:
    """What waited for its next try is superseded; only the cancellation arrives."""
    async with stage(mail_retry_seconds="600") as on:
        await populate(on)
        on.server.script("mail", Reply("451 4.3.0 busy"))
        await on.tell_window(window(WindowScheduled))
        await on.until("SELECT true FROM deliveries WHERE state = 'planned' AND attempts = 1")
        await on.tell_window(window(WindowCancelled, revision=1, cancellation_reason="Not needed"))
        assert subjects(await on.mails(1)) == ["Cancelled"]
        [announcement] = await on.until_settled("announcement", 1)
        assert announcement["state"] == "superseded"


async def test_names_are_those_of_today_or_what_there_is(stage: Open) -> None:
    """A renamed, retired system has its newest name; an unknown one the event's, or its id; an unknown site its id."""
    async with stage() as on:
        await on.settle_person("ana")
        renamed = AssetChanged(kind="system", name="Old archive", state="closed", version=2)
        await on.inventory.say(renamed, subject=ARCHIVE, site_id="north")
        await on.until("SELECT true FROM assets")
        systems = [
            SystemRef(id=ARCHIVE, name="North archive"),
            SystemRef(id="b", name="Viewer"),
            SystemRef(id="c", name=""),
        ]
        await on.tell_window(window(WindowScheduled, systems=systems))
        [mail] = await on.mails(1)
        text = part(mail.message, "plain")
        assert text.startswith("Planned downtime: Old archive and 2 more\nnorth\n")
        assert "Old archive\n            Viewer\n            c\n" in text
        assert "20:00 UTC" in text


async def test_who_joins_the_site_later_hears_of_the_windows_to_come(stage: Open) -> None:
    """Once; and who was told before is not told again."""
    async with stage() as on:
        await populate(on)
        await on.tell_window(window(WindowScheduled))
        await on.mails(1)
        await on.settle_person("ben")
        await on.settle_person("ana", version=2)
        await on.settle_person("ben", version=2)
        assert [mail.rcpt_to for mail in await on.mails(2)] == ["ana@north.example", "ben@north.example"]
        await on.until_settled("announcement", 2)


async def test_a_site_without_people_has_a_notice_that_says_so(stage: Open) -> None:
    """Nothing is lost in silence."""
    async with stage() as on:
        await on.settle_site(SITE)
        await on.tell_window(window(WindowScheduled))
        await on.until("SELECT state = 'nobody' FROM notices WHERE kind = 'announcement'")
        notices = (await on.steward.admin.get("/notifier/v1/notices", params={"state": "nobody"})).json()["items"]
        assert ([notice["kind"] for notice in notices], on.server.messages) == (["announcement"], [])
