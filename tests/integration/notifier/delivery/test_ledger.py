"""Each mail reaches its end, whatever the mail server does and whenever notifier is killed."""

from typing import Any

import pytest

from services.notifier.__main__ import build
from services.notifier.settings import NotifierSettings
from shared.bus.postgres import PostgresBus
from shared.events import Event
from shared.events.maintenance import WindowRescheduled, WindowScheduled
from shared.service import open_service
from tests.conftest import execute
from tests.integration.conftest import settings_for
from tests.integration.notifier.conftest import Open
from tests.integration.notifier.stage import ALERT, HOUR, STARTS, TRY_NOW, WINDOW, Stage, notifier, raised, window
from tests.parts.smtp import Action, Drop, Hang, Reply, SmtpServer, Step

MOVED: dict[str, Any] = {"previous_starts_at": STARTS, "previous_ends_at": STARTS + 4 * HOUR}


async def sent_events(on: Stage, delivery_id: str) -> list[Any]:
    """All notice.sent of a delivery. One more notice tells that they have all been heard: they share a partition."""
    await on.tell_window(window(WindowRescheduled, revision=1, **MOVED))
    await on.steward.heard.until("notice.sent", lambda e: e.data.kind == "changed")
    sent: list[Event[Any]] = [e for e in on.steward.heard.events if e.type == "notice.sent"]
    return [e for e in sent if e.data.delivery_id == delivery_id]


@pytest.mark.parametrize(
    ("step", "action"),
    [
        ("connect", Reply("421 4.3.2 closing")),
        ("mail", Reply("451 4.3.0 busy")),
        ("mail", Reply("550 5.7.1 sender not allowed")),
        ("rcpt", Reply("450 4.2.0 greylisted")),
        ("content", Reply("554 5.6.0 no")),
        ("data", Drop()),
        ("accepted", Drop()),
        ("rcpt", Hang()),
    ],
)
async def test_fault_of_the_server_is_outlived_under_the_same_message_id(
    stage: Open, step: Step, action: Action
) -> None:
    """One of two readers meets the fault; both get the mail, and a repeat can be told by its Message-ID."""
    # What hangs is met for the whole of the timeout, so that one is short; yet any other mail must end within it.
    async with stage(smtp_timeout=10.0 if isinstance(action, Hang) else 60.0) as on:
        await on.settle_person("ana")
        await on.settle_person("ben")
        on.server.script(step, action)
        await on.tell_window(window(WindowScheduled))
        delivered = await on.until_settled("announcement", 2)
        assert [d["state"] for d in delivered] == ["accepted", "accepted"]
        assert sorted(d["attempts"] for d in delivered) == [1, 2]
        assert {mail.message["Message-ID"] for mail in on.server.messages} == {d["message_id"] for d in delivered}


async def test_refused_recipient_bounces_and_gets_no_more_mail_until_saved_again(stage: Open) -> None:
    """notice.failed names the person and not the address; others go on."""
    async with stage() as on:
        await on.settle_person("ana")
        on.server.script("rcpt", Reply("550 5.1.1 <ana@north.example> no such user"))
        await on.tell_window(window(WindowScheduled))
        failed = await on.steward.heard.until("notice.failed")
        assert (failed.data.person_id, failed.data.about) == ("ana", WINDOW)
        assert failed.data.reason == "550 5.1.1 <(address)> no such user"
        await on.settle_person("ben")
        await on.tell_window(window(WindowRescheduled, revision=1, **MOVED))
        ana, ben = await on.until_settled("changed", 2)
        assert (ana["state"], ben["state"]) == ("bounced", "accepted")
        assert [command for command in on.server.commands if "ana" in command] == ["RCPT TO:<ana@north.example>"]
        await on.settle_person("ana", version=2)
        await on.tell_window(window(WindowRescheduled, revision=2, **MOVED))
        await on.server.wait_for(lambda received: any(mail.rcpt_to == "ana@north.example" for mail in received))


async def test_wrong_password_or_sender_suppresses_nobody(stage: Open) -> None:
    """A refusal of us is tried until the mail is given up, and the next notice is tried anew."""
    async with stage(mail_give_up_seconds=3600) as on:
        await on.settle_person("ana")
        on.server.script("mail", *[Reply("550 5.7.8 who are you?")] * 500)
        await on.tell_window(window(WindowScheduled))
        await on.until("SELECT bool_or(attempts > 2) FROM deliveries")
        await on.steward.pools["notifier"].execute("UPDATE deliveries SET planned_at = planned_at - interval '1 hour'")
        [given_up] = await on.until_settled("announcement", 1)
        assert given_up["state"] == "bounced"
        failed = await on.steward.heard.until("notice.failed")
        assert failed.data.reason == "given up: 550 5.7.8 who are you?"
        while on.server.next_action("mail"):
            pass
        await on.tell_window(window(WindowRescheduled, revision=1, **MOVED))
        assert [mail.rcpt_to for mail in await on.mails(1)] == ["ana@north.example"]


async def test_address_that_can_be_none_bounces_alone(stage: Open) -> None:
    """It is never put on the wire, and stops nobody else's invitation."""
    async with stage() as on:
        await on.settle_person("ana", email="ana at north")
        await on.settle_person("ben")
        await on.tell_window(window(WindowScheduled))
        ana, ben = await on.until_settled("announcement", 2)
        assert (ana["state"], ben["state"]) == ("bounced", "accepted")


async def test_window_that_can_not_be_put_into_words_bounces_alone(stage: Open) -> None:
    """A time that no local calendar has ends one delivery, not the sender."""
    async with stage() as on:
        await on.settle_site()
        await on.settle_person("ben", "admin")
        await on.tell_window(window(WindowScheduled, ends_at="9999-12-31T23:59:59Z"))
        [delivery] = await on.until_settled("announcement", 1)
        assert (delivery["state"], delivery["answer"]) == ("bounced", "it can't be put into words: OverflowError")
        await on.tell_alert(raised())
        await on.mails(1)


async def test_notifier_killed_between_acceptance_and_storing_repeats_under_the_same_message_id(stage: Open) -> None:
    """The reader's mail program can tell the repeat; the audit trail has one notice.sent."""
    async with stage() as on:
        await on.settle_person("ana")
        on.server.script("accepted", Hang())
        await on.tell_window(window(WindowScheduled))
        await on.mails(1)
    async with stage() as on:
        await on.steward.pools["notifier"].execute(TRY_NOW)
        [delivery] = await on.until_settled("announcement", 1)
        assert (delivery["state"], delivery["attempts"]) == ("accepted", 2)
        assert [mail.message["Message-ID"] for mail in await on.mails(2)] == [delivery["message_id"]] * 2
        assert len(await sent_events(on, delivery["id"])) == 1


async def test_cut_database_connections_lose_no_mail(stage: Open, database: str) -> None:
    """Every part of notifier comes back by itself, and what was told meanwhile goes out."""
    # A mail whose sender was cut off in the middle waits for the lease, which is twice the timeout.
    async with stage(smtp_timeout=10.0) as on:
        await on.settle_person("ben", "admin")
        await execute(
            database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'steward_notifier'"
        )
        await on.tell_alert(raised())
        await on.mails(1)
        [delivery] = await on.until_settled("alert_raised", 1)
        assert delivery["state"] == "accepted"


async def test_two_replicas_send_once(
    stage: Open, mail_server: SmtpServer, database: str, bus: PostgresBus, tmp_path: Any
) -> None:
    """Twelve people, two senders, twelve mails."""
    async with stage() as on:
        more = notifier(mail_server)["notifier"][2]
        settings = settings_for(NotifierSettings, "notifier", database, tmp_path, **more)
        async with open_service("notifier", lambda pool: build(pool, settings), settings, bus):
            for number in range(12):
                await on.settle_person(f"reader-{number}", "admin")
            await on.tell_window(window(WindowScheduled))
            await on.tell_alert(raised())
            delivered = await on.until_settled("announcement", 12) + await on.until_settled("alert_raised", 12)
            assert {(d["state"], d["attempts"]) for d in delivered} == {("accepted", 1)}
            assert len({mail.message["Message-ID"] for mail in await on.mails(24)}) == 24


async def test_ledger_shows_each_site_to_its_own_people(stage: Open) -> None:
    """Lists leave out what lies outside the caller's sites; filters narrow them; pages follow each other."""
    async with stage() as on:
        await on.settle_person("ana", "admin")
        await on.settle_person("ben", "admin")
        await on.tell_window(window(WindowScheduled))
        await on.until_settled("announcement", 2)
        await on.tell_alert(raised())
        await on.until_settled("alert_raised", 2)
        for path in ("notices", "deliveries"):
            url = f"/notifier/v1/{path}"
            south = await on.steward.as_("sam", "viewer:south").get(url)
            assert south.json() == {"items": [], "next": None}
            north = on.steward.as_("ana", "viewer:north")
            found = (await north.get(url, params={"about": ALERT})).json()["items"]
            assert {item["kind"] for item in found} == {"alert_raised"}
            state = found[0]["state"]
            assert (await north.get(url, params={"about": ALERT, "state": state})).json()["items"] == found
            assert (await north.get(url, params={"state": "superseded"})).json()["items"] == []
            first = (await north.get(url, params={"limit": 1})).json()
            second = (await north.get(url, params={"limit": 1, "cursor": first["next"]})).json()
            assert first["items"][0]["id"] < second["items"][0]["id"]


@pytest.mark.parametrize("query", ["state=lost", "about=%00", "about=" + "a" * 201, "limit=0"])
@pytest.mark.parametrize("path", ["notices", "deliveries"])
async def test_malformed_filter_is_refused(stage: Open, path: str, query: str) -> None:
    """422 names the field."""
    async with stage() as on:
        answer = await on.steward.admin.get(f"/notifier/v1/{path}?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == query.split("=")[0]
