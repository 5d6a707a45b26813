"""The local mailbox, filled over real SMTP by Mailer and read over its HTTP routes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest
from fastapi import FastAPI

from demo import mailbox as module
from demo.mailbox import Mailbox
from demo.mailbox_pages import mailbox_router
from services.notifier.delivery.addresses import Party
from services.notifier.delivery.domain import Accepted, Rejected
from services.notifier.delivery.message import Content, Head, Invitation, build_message
from services.notifier.delivery.smtp import Mailer, TlsMode
from tests.news import WAIT_SECONDS

MILLISECOND = timedelta(milliseconds=1)
"""As fine as the time in a mail's id."""

SENDER = "steward@group.example"
CALENDAR = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[Mailbox]:
    box = Mailbox(tmp_path / "mails")
    await box.start()
    yield box
    await box.stop()


@pytest.fixture
async def http(mailbox: Mailbox) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(mailbox_router(mailbox))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mail") as client:
        yield client


def a_message(number: int, to: str, html: str = "<p>Words</p>") -> EmailMessage:
    head = Head(f"d-{number}", "window-1", Party("Steward", SENDER), Party("", to), datetime(2026, 6, 1, tzinfo=UTC))
    return build_message(head, Content(f"Übung {number}", "Words, ü\n", html), Invitation("REQUEST", CALENDAR))


async def send(mailbox: Mailbox, number: int, to: str = "ana@north.example", html: str = "<p>Words</p>") -> None:
    mailer = Mailer(host="127.0.0.1", port=mailbox.port, sender=SENDER, tls=TlsMode.NONE, timeout=WAIT_SECONDS)
    assert isinstance(await mailer.send(a_message(number, to, html), to), Accepted)


def count_files(folder: Path) -> int:
    return len(list(folder.glob("*.eml")))


async def test_a_script_reads_every_part_of_a_mail_as_json(mailbox: Mailbox, http: httpx.AsyncClient) -> None:
    before = datetime.now(UTC)
    await send(mailbox, 1)
    [mail] = (await http.get("/mailbox")).json()
    received_at = datetime.fromisoformat(mail.pop("received_at"))
    assert before - MILLISECOND < received_at <= datetime.now(UTC)
    assert mail == {
        "id": mailbox.messages[0].id,
        "from": SENDER,
        "to": "ana@north.example",
        "subject": "Übung 1",
        "text": "Words, ü\n",
        "html": "<p>Words</p>\n",
        "calendar": CALENDAR.replace("\r\n", "\n"),
        "message_id": "<d-1@group.example>",
    }
    one = (await http.get(f"/mailbox/{mail['id']}")).json()
    assert one["message_id"] == mail["message_id"]


async def test_filters_narrow_the_list_and_after_takes_an_id_or_a_time(
    mailbox: Mailbox, http: httpx.AsyncClient
) -> None:
    await send(mailbox, 1, "ana@north.example")
    await send(mailbox, 2, "ben@south.example")
    await send(mailbox, 3, "ana@north.example")

    async def subjects(**filters: str) -> list[str]:
        return [mail["subject"] for mail in (await http.get("/mailbox", params=filters)).json()]

    assert await subjects() == ["Übung 1", "Übung 2", "Übung 3"]
    assert await subjects(to="ANA@") == ["Übung 1", "Übung 3"]
    assert await subjects(subject="übung 2") == ["Übung 2"]
    assert await subjects(after=mailbox.messages[1].id) == ["Übung 3"]
    assert await subjects(after="2020-01-01T00:00:00Z", to="south") == ["Übung 2"]
    assert await subjects(after="2099-01-01T00:00:00Z") == []


async def test_a_filter_that_is_neither_id_nor_time_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.get("/mailbox", params={"after": "yesterday"})).status_code == 422


async def test_a_mail_that_is_not_there_is_not_found(http: httpx.AsyncClient) -> None:
    assert (await http.get("/mailbox/01970000-0000-7000-8000-000000000000")).status_code == 404
    assert (await http.get("/mailbox/nonsense")).status_code == 422


async def test_a_person_sees_a_list_that_leads_to_each_mail(mailbox: Mailbox, http: httpx.AsyncClient) -> None:
    assert "No mail yet" in (await http.get("/mailbox", headers=HTML)).text
    await send(mailbox, 1)
    page = (await http.get("/mailbox", headers=HTML)).text
    link = f"/mailbox/{mailbox.messages[0].id}"
    assert f'<a href="{link}">Übung 1</a>' in page
    mail = (await http.get(link, headers=HTML)).text
    assert "METHOD:REQUEST" in mail
    assert "Words, ü" in mail


async def test_the_html_of_a_mail_stands_in_a_sandbox_and_can_load_and_run_nothing(
    mailbox: Mailbox, http: httpx.AsyncClient
) -> None:
    await send(mailbox, 1, html='"></iframe><script>alert(1)</script>')
    response = await http.get(f"/mailbox/{mailbox.messages[0].id}", headers=HTML)
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<iframe sandbox " in response.text
    assert "<script>" not in response.text
    assert response.text.count("</iframe>") == 1


async def test_mails_are_in_the_folder_and_come_back_after_a_restart(mailbox: Mailbox, tmp_path: Path) -> None:
    await send(mailbox, 1)
    await send(mailbox, 2)
    assert count_files(tmp_path / "mails") == 2
    again = Mailbox(tmp_path / "mails")
    await again.start()
    await again.stop()
    assert again.messages == mailbox.messages


async def test_the_oldest_mail_goes_when_the_mailbox_is_full(tmp_path: Path) -> None:
    box = Mailbox(tmp_path, kept=3)
    await box.start()
    for number in range(5):
        await send(box, number)
    await box.stop()
    assert [mail.subject for mail in box.messages] == ["Übung 2", "Übung 3", "Übung 4"]
    assert count_files(tmp_path) == 3


async def test_a_mail_in_an_unknown_charset_is_kept_and_read_as_far_as_it_goes(mailbox: Mailbox) -> None:
    raw = b"Subject: odd\r\nContent-Type: text/plain; charset=martian\r\n\r\nabc\xff\r\n"
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=mailbox.port) as client:
        await client.sendmail(SENDER, ["ana@north.example"], raw)
    assert mailbox.messages[0].text == "abc\ufffd\n"


async def test_a_mail_that_is_too_large_is_rejected(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MAIL_BYTES", 1_000)
    mailer = Mailer(host="127.0.0.1", port=mailbox.port, sender=SENDER, tls=TlsMode.NONE, timeout=WAIT_SECONDS)
    outcome = await mailer.send(a_message(1, "ana@north.example", "x" * 2_000), "ana@north.example")
    assert isinstance(outcome, Rejected)
    assert outcome.code == 552
    assert mailbox.messages == []


async def test_stopping_ends_what_is_still_connected(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    await box.start()
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=box.port)
    await client.connect()
    await box.stop()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await client.noop()
