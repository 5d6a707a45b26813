"""What admins read about an alert, and what they wait for."""

import pytest

from services.notifier.delivery import schedule
from shared import consumer, relay
from shared.bus import postgres
from shared.events.alerts import AlertTransitioned
from shared.events.inventory import AssetChanged
from shared.events.maintenance import WindowScheduled
from tests.integration.notifier.conftest import Open
from tests.integration.notifier.stage import ALERT, ARCHIVE, HOUR, TRY_NOW, part, raised, resolved, subjects, window
from tests.parts.smtp import Hang, Reply


async def test_admins_read_that_an_alert_was_raised_and_that_it_is_over_in_one_thread(stage: Open) -> None:
    """Clinicians and other sites' admins don't."""
    async with stage() as on:
        await on.settle_site()
        await on.settle_person("ana", "clinician")
        await on.settle_person("ben", "admin")
        await on.settle_person("sam", "admin", site_id="south")
        await on.tell_alert(raised())
        await on.mails(1)
        await on.tell_alert(resolved())
        mails = await on.mails(2)
        assert [mail.rcpt_to for mail in mails] == ["ben@north.example"] * 2
        assert subjects(mails) == ["Critical", "Resolved"]
        assert mails[0].message["References"] == mails[1].message["References"]
        assert "PACS team, 4711" in part(mails[0].message, "plain")
        sent = await on.steward.heard.until("notice.sent", lambda e: e.data.kind == "alert_resolved")
        assert sent.data.about == ALERT


async def test_alert_waits_for_nobodys_next_look(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the alert's commit to the mail in the server's hands, each is woken by the one before: none looks by itself.

    Of what looks now and then, in case that news were lost, nothing does so within the test.
    """
    for module, name in (
        (relay, "FALLBACK_SECONDS"),
        (postgres, "FALLBACK_SECONDS"),
        (consumer, "POLL_SECONDS"),
        (schedule, "LONGEST_REST"),
    ):
        monkeypatch.setattr(module, name, HOUR.total_seconds())
    async with stage() as on:
        await on.settle_site()
        await on.settle_person("ben", "admin")
        for number in range(1, 11):
            await on.tell_alert(raised(f"alert-{number}"))
            await on.mails(number)


async def test_alert_names_the_node_and_its_system(stage: Open) -> None:
    """By their names of today."""
    async with stage() as on:
        await on.settle_site()
        await on.settle_person("ben", "admin")
        node = AssetChanged(kind="node", name="NORTH_PACS", state="in_service", version=1)
        system = AssetChanged(kind="system", name="Archive", state="in_service", version=1)
        await on.inventory.say(node, subject=ARCHIVE, site_id="north")
        await on.inventory.say(system, subject="system-1", site_id="north")
        await on.until("SELECT count(*) = 2 FROM assets")
        await on.tell_alert(raised(system_id="system-1"))
        [mail] = await on.mails(1)
        assert "NORTH_PACS (Archive)" in part(mail.message, "plain")


async def test_alert_at_a_site_without_an_admin_is_kept_and_told_to_the_one_who_comes(stage: Open) -> None:
    """The notice says that there was nobody; a later admin hears of it while the alert is open, and only then."""
    async with stage() as on:
        await on.settle_person("ana", "clinician")
        await on.tell_alert(raised("alert-open"))
        await on.tell_alert(raised("alert-over"))
        await on.tell_alert(resolved("alert-over"))
        await on.until("SELECT count(*) = 3 FROM notices WHERE state = 'nobody'")
        await on.settle_person("ana", "admin", version=2)
        [mail] = await on.mails(1)
        assert mail.message["References"] == "<alert-alert-open@group.example>"


async def test_who_is_no_longer_an_admin_is_not_told_because_an_older_event_comes_again(stage: Open) -> None:
    """What the person is by now decides."""
    async with stage() as on:
        await on.settle_person("ana", "clinician", version=2)
        await on.tell_alert(raised())
        await on.until("SELECT count(*) = 1 FROM notices WHERE state = 'nobody'")
        await on.settle_person("ana", "admin", version=1)
        await on.settle_person("ana", "clinician", version=3)
        await on.settle_person("ben", "admin")
        [mail] = await on.mails(1)
        assert mail.rcpt_to == "ben@north.example"
        assert await on.steward.pools["notifier"].fetchval("SELECT count(*) FROM deliveries") == 1


async def test_resolve_that_overtakes_its_raise_waits_for_it(stage: Open) -> None:
    """First that it is wrong, then that it is over."""
    async with stage() as on:
        await on.settle_person("ben", "admin")
        await on.tell_alert(resolved())
        await on.until("SELECT true FROM notices WHERE kind = 'alert_resolved'")
        await on.tell_alert(raised())
        assert subjects(await on.mails(2)) == ["Critical", "Resolved"]


async def test_resolve_waits_while_its_raise_is_tried_again(stage: Open) -> None:
    """Both arrive, in order, though the alert was over before its mail had left."""
    async with stage(mail_retry_seconds="600") as on:
        await on.settle_person("ben", "admin")
        on.server.script("mail", Reply("451 4.3.0 busy"))
        await on.tell_alert(raised())
        await on.until("SELECT true FROM deliveries WHERE state = 'planned' AND attempts = 1")
        await on.tell_alert(resolved())
        await on.until(
            "SELECT true FROM deliveries d JOIN notices n ON n.id = d.notice_id WHERE kind = 'alert_resolved'"
        )
        await on.steward.pools["notifier"].execute(TRY_NOW)
        assert subjects(await on.mails(2)) == ["Critical", "Resolved"]


async def test_announcements_that_hang_do_not_hold_an_alert(stage: Open) -> None:
    """All places of the announcements' lane hang; the alert passes them."""
    async with stage(smtp_timeout=600.0) as on:
        for number in range(6):
            await on.settle_person(f"reader-{number}")
        await on.settle_person("ben", "admin", site_id="south")
        on.server.script("connect", *[Hang()] * 4)
        await on.tell_window(window(WindowScheduled))
        await on.until("SELECT count(*) = 4 FROM deliveries WHERE state = 'leased'")
        await on.tell_alert(raised(), site_id="south")
        [mail] = await on.mails(1)
        assert mail.rcpt_to == "ben@south.example"


async def test_alert_of_the_group_reaches_the_admins_of_every_site(stage: Open) -> None:
    """What belongs to no single site concerns them all."""
    async with stage() as on:
        await on.settle_person("ben", "admin")
        await on.settle_person("sam", "admin", site_id="south")
        await on.tell_alert(raised(), site_id="group")
        assert {mail.rcpt_to for mail in await on.mails(2)} == {"ben@north.example", "sam@south.example"}


async def test_an_alert_that_becomes_worse_is_told_once_more_for_each_turn(stage: Open) -> None:
    """That it is critical now and that it comes and goes are mails in its thread; other steps are none."""
    async with stage() as on:
        await on.settle_site()
        await on.settle_person("ben", "admin")
        await on.tell_alert(raised())
        await on.mails(1)
        for what in ("recovering", "relapsed", "escalated", "deescalated", "escalated"):
            await on.tell_alert(turned(what))
        await on.mails(2)
        for what in ("flapping", "steadied", "flapping"):
            await on.tell_alert(turned(what))
        await on.mails(3)
        await on.tell_alert(resolved())
        mails = await on.mails(4)
        assert subjects(mails) == ["Critical", "Now critical", "Comes and goes", "Resolved"]
        assert len({mail.message["References"] for mail in mails}) == 1


async def test_an_alert_that_is_raised_as_flapping_says_so(stage: Open) -> None:
    """Its reader must know that no more mails come for a while."""
    async with stage() as on:
        await on.settle_site()
        await on.settle_person("ben", "admin")
        await on.tell_alert(raised().model_copy(update={"flapping": True}))
        [mail] = await on.mails(1)
        assert "comes and goes too often" in part(mail.message, "plain")


def turned(what: str) -> AlertTransitioned:
    """A step of the alert."""
    return AlertTransitioned.model_validate(
        {
            "probe_id": "p",
            "check": "dicom-echo",
            "asset_name": "north-pacs",
            "what": what,
            "before": "firing",
            "after": "firing",
            "summary": "No answer",
            "at": "2026-03-01T21:16:00Z",
            "alert_id": ALERT,
            "severity": "critical",
        }
    )
