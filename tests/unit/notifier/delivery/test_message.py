"""The headers and parts of a mail, read back as a mail program reads them."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.delivery.addresses import Party
from services.notifier.delivery.message import Content, Facts, Head, Invitation, Stationery, build_message
from services.notifier.delivery.text import one_line

HEAD = Head(
    delivery_id="0198-d1",
    thread="window-7f3a",
    sender=Party("Steward", "steward@group.example"),
    recipient=Party("Ana", "ana@north.example"),
    sent_at=datetime(2026, 6, 1, 8, tzinfo=UTC),
)
CONTENT = Content("A subject", "Words, ü\n", "<p>Words, ü</p>")
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
}
ODD_TEXTS = st.text(st.characters() | st.sampled_from('\r\n\x00=?_<>@",;:'), max_size=120) | st.sampled_from(
    [
        "x\r\nBcc: all@north.example",
        "=?utf-8?q?x=0D=0ABcc:_all=40north.example?=",
        "=?utf-8?b?eA0KQmNjOiBhbGxAbm9ydGguZXhhbXBsZQ==?=",
        "x" * 10_000,
        "\ud83d",
    ]
)


def read(message: EmailMessage) -> EmailMessage:
    parsed = message_from_bytes(message.as_bytes(), policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_message_tells_what_it_is_and_where_it_belongs() -> None:
    message = read(build_message(HEAD, CONTENT))
    assert set(message.keys()) == HEADERS
    assert message["Message-ID"] == "<0198-d1@group.example>"
    assert message["References"] == message["In-Reply-To"] == "<window-7f3a@group.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime == HEAD.sent_at
    assert (message["From"], message["To"]) == ("Steward <steward@group.example>", "Ana <ana@north.example>")


def test_a_repeat_of_a_delivery_carries_the_same_id_and_another_delivery_its_own() -> None:
    later = replace(HEAD, sent_at=datetime(2026, 6, 1, 9, tzinfo=UTC))
    assert build_message(HEAD, CONTENT)["Message-ID"] == build_message(later, CONTENT)["Message-ID"]
    other = replace(HEAD, delivery_id="0198-d2")
    assert build_message(HEAD, CONTENT)["Message-ID"] != build_message(other, CONTENT)["Message-ID"]


def test_the_richest_alternative_comes_last_and_carries_its_method() -> None:
    calendar = "BEGIN:VCALENDAR\r\nSUMMARY:ü\r\nEND:VCALENDAR\r\n"
    message = read(build_message(HEAD, CONTENT, Invitation("CANCEL", calendar)))
    assert message.get_content_type() == "multipart/alternative"
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html", "text/calendar"]
    assert parts[2].get_param("method") == "CANCEL"
    assert parts[2].get_content_charset() == "utf-8"
    assert parts[2].get_payload(decode=True) == calendar.encode()


def test_a_message_is_seven_bit_clean_with_short_lines() -> None:
    content = Content("ü" * 150, "ü" * 5_000, "<p>" + "ü" * 5_000 + "</p>")
    raw = build_message(HEAD, content, Invitation("REQUEST", "😀" * 3_000)).as_bytes()
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@given(name=ODD_TEXTS, subject=ODD_TEXTS, body=ODD_TEXTS)
def test_no_text_can_add_a_header_or_a_recipient(name: str, subject: str, body: str) -> None:
    head = replace(HEAD, sender=Party(name, "steward@group.example"), recipient=Party(name, "ana@north.example"))
    wording = Stationery(Path(__file__).parent / "wording")
    content = wording.write("odd", Facts(body, (("Label", body),), body, "quiet"), subject=subject)
    message = read(build_message(head, content))
    assert set(message.keys()) == HEADERS
    assert len(message.keys()) == len(HEADERS)
    for header in ("From", "To"):
        assert len(message[header].addresses) == 1
    assert message["To"].addresses[0].addr_spec == "ana@north.example"
    assert message["Subject"].split() == one_line(subject).split()


def test_markup_in_a_text_is_shown_and_not_obeyed() -> None:
    wording = Stationery(Path(__file__).parent / "wording")
    facts = Facts("<b>North</b>", (("Reason", "<script>alert(1)</script>"),), "<img src=x>", "quiet")
    content = wording.write("odd", facts, subject="<i>S</i>")
    for tag in ("<b>", "<script>", "<img", "<i>"):
        assert tag not in content.html
        assert tag in content.text
    assert content.subject == "<i>S</i>"


def test_an_address_that_cannot_be_one_gets_no_to_header() -> None:
    message = build_message(replace(HEAD, recipient=Party("Ana", "ana@north.example>\r\nBcc: x@y.example")), CONTENT)
    assert set(message.keys()) == HEADERS - {"To"}


@pytest.mark.parametrize(
    "head",
    [
        replace(HEAD, delivery_id="a>\r\nBcc: x@y.example"),
        replace(HEAD, thread=""),
        replace(HEAD, sender=Party("Steward", "nowhere")),
    ],
)
def test_what_is_ours_and_cannot_stand_in_a_mail_is_refused(head: Head) -> None:
    with pytest.raises(ValueError, match="message id"):
        build_message(head, CONTENT)
