"""Builds the mail that is sent: its headers, and its parts in plain text, HTML and iCalendar."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from services.notifier.delivery.addresses import Party
from services.notifier.delivery.domain import SERVICE_DESK
from services.notifier.delivery.text import clean, one_line
from shared.mail_address import wire_address

_LAYOUT = Path(__file__).parent / "templates"
_ID = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")

Tone = Literal["planned", "urgent", "good", "quiet"]


@dataclass(frozen=True)
class Head:
    """Who writes to whom, in which thread.

    `delivery_id` alone makes the Message-ID, so that a repeat of one delivery carries the same. Messages with the
    same `thread`, such as ``window-7f3a``, stand together in the reader's mailbox.
    """

    delivery_id: str
    thread: str
    sender: Party
    recipient: Party
    sent_at: datetime


@dataclass(frozen=True)
class Facts:
    """What the reader needs: the rows of a table, and whom to call."""

    site_name: str
    rows: tuple[tuple[str, str], ...]
    contact: str
    tone: Tone


@dataclass(frozen=True)
class Content:
    """A message in words, before it has a sender or a reader."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Invitation:
    """An iCalendar object and the iTIP method that it carries (RFC 6047 §2.4)."""

    method: Literal["REQUEST", "CANCEL"]
    calendar: str


@dataclass(frozen=True)
class Letter:
    """A notice in words for one reader."""

    thread: str
    content: Content
    invitation: Invitation | None = None


class Stationery:
    """Writes the words of one capability's `folder` into the layout that all mails share.

    A wording is a template with the blocks `subject`, `headline` and `action`, one line a sentence, written once and
    used for text and HTML alike.
    """

    def __init__(self, folder: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader([folder, _LAYOUT]),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def write(self, wording: str, facts: Facts, **values: object) -> Content:
        """The content of the message whose wording is in ``<wording>.txt`` of the folder."""
        template = self._environment.get_template(f"{wording}.txt")
        layout = {
            "headline": one_line(_block(template, "headline", values)),
            "actions": [line for line in map(one_line, _block(template, "action", values).splitlines()) if line],
            "site_name": one_line(facts.site_name),
            "rows": [(label, clean(text).strip()) for label, text in facts.rows if text.strip()],
            "contact": clean(facts.contact).strip() or SERVICE_DESK,
            "tone": facts.tone,
        }
        return Content(
            subject=one_line(_block(template, "subject", values)),
            text=self._environment.get_template("layout.txt").render(layout),
            html=self._environment.get_template("layout.html").render(layout),
        )


def message_id(delivery_id: str, sender_address: str) -> str:
    """The Message-ID of a delivery: the same one for every attempt."""
    return _identifier(delivery_id, sender_address)


def build_message(head: Head, content: Content, invitation: Invitation | None = None) -> EmailMessage:
    """The whole message, 7-bit clean.

    A recipient whose address can't be one gets no ``To``; `Mailer.send` rejects that address. Raises ValueError for a
    sender's address, a delivery id or a thread that can't stand in a mail: those are ours.
    """
    root = _identifier(head.thread, head.sender.address)
    message = EmailMessage(policy=SMTP)
    message["From"] = _mailbox(head.sender)
    if wire_address(head.recipient.address) is not None:
        message["To"] = _mailbox(head.recipient)
    message["Subject"] = content.subject
    message["Date"] = head.sent_at
    message["Message-ID"] = message_id(head.delivery_id, head.sender.address)
    message["In-Reply-To"] = root
    message["References"] = root
    message["Auto-Submitted"] = "auto-generated"
    # Exchange and Outlook answer with out-of-office notes in spite of Auto-Submitted, but not with this.
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(content.text, cte="quoted-printable")
    message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    if invitation is not None:
        # RFC 6047 §2.4: the method stands in the Content-Type too. Last, because it is the richest alternative.
        message.add_alternative(
            invitation.calendar, subtype="calendar", cte="base64", params={"method": invitation.method}
        )
    return message


def _block(template: Template, name: str, values: dict[str, object]) -> str:
    return "".join(template.blocks[name](template.new_context(values)))


def _mailbox(party: Party) -> Address:
    address = wire_address(party.address)
    if address is None:
        raise ValueError(f"not a mail address: {party.address!r}")
    local, _, domain = address.rpartition("@")
    return Address(one_line(party.name), local, domain)


def _identifier(left: str, address: str) -> str:
    domain = (wire_address(address) or "").rpartition("@")[2]
    if not _ID.fullmatch(left) or not domain:
        raise ValueError(f"{left!r} at {address!r} can't make a message id, for example 7f3a-1 at steward@example.org")
    return f"<{left}@{domain}>"
