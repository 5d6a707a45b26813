"""Rules of notices and deliveries: which go first, what the mail server's answer means, when to try again."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field

from services.notifier.audience.domain import Recipient
from services.notifier.delivery.addresses import Party
from shared.events import Instant
from shared.events.notifier import AlertNoticeKind, NoticeKind
from shared.mail_address import wire_address

NoticeState = Literal["planned", "addressed", "nobody", "superseded"]
DeliveryState = Literal["planned", "leased", "accepted", "bounced", "superseded"]

TELL_TIMES: tuple[NoticeKind, ...] = ("announcement", "short_notice", "changed")
"""The notices that tell of a window's times, and so are for those too who join the site later."""

SERVICE_DESK = "Your IT service desk"
"""Whom to call where nobody is named."""

_ADDRESS = re.compile(r"[^\s<>\"'()\[\],;:]+@[^\s<>\"'()\[\],;:]+")
_NOT_IN_THREAD = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Accepted:
    """The server has taken the message over and answers for it from now on."""

    code: int
    text: str


@dataclass(frozen=True)
class Deferred:
    """Not known to be accepted; send it again later under the same Message-ID. No code: the server gave none."""

    code: int | None
    text: str


@dataclass(frozen=True)
class Rejected:
    """Sending the same again will not help.

    Only where `recipient_refused` is true was it this address that the server would not have. Otherwise it refused
    us (a wrong password, a sender it does not know) or the message, and other mail to the address may well arrive.
    """

    code: int
    text: str
    recipient_refused: bool


UNDELIVERABLE = Rejected(553, "not a mail address that SMTP can carry", recipient_refused=True)
"""What stands for the server's answer about an address that it can't be asked about."""


@dataclass(frozen=True)
class Withheld:
    """Never handed to the server. ``is_lost``: the person should have had it; otherwise it has become pointless."""

    reason: str
    is_lost: bool


Outcome = Accepted | Deferred | Rejected
"""What the server made of one attempt."""


@dataclass(frozen=True)
class NewNotice:
    """A notice to be planned, unique by (about, kind, revision).

    ``expires_at``: from then on it is of no use to anybody. ``breaches_lead_time``: it comes later than promised.
    """

    site_id: str
    about: str
    kind: NoticeKind
    revision: int
    due_at: datetime
    expires_at: datetime | None = None
    breaches_lead_time: bool = False


class Origin(NamedTuple):
    """The flow that a notice belongs to, the event that led to it, and its trace."""

    correlation_id: str
    causation_id: str | None
    traceparent: str | None


class Notice(BaseModel):
    """What people are told about a window or an alert (``about``); ``nobody``: it was due and nobody is to be told."""

    model_config = ConfigDict(frozen=True)

    id: str
    site_id: str
    about: str
    kind: NoticeKind
    revision: int
    due_at: Instant
    expires_at: Instant | None
    breaches_lead_time: bool
    state: NoticeState
    planned_at: Instant
    correlation_id: str
    causation_id: str | None
    traceparent: str | None = Field(exclude=True)


class Delivery(BaseModel):
    """One notice on its way to one person; ``answer`` is what the mail server said last, without the address.

    ``next_try_at`` is set while it is planned or leased. The message id is the same for every attempt.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    notice_id: str
    site_id: str
    about: str
    kind: NoticeKind
    revision: int
    person_id: str
    channel: Literal["mail"]
    state: DeliveryState
    attempts: int
    planned_at: Instant
    next_try_at: Instant | None
    settled_at: Instant | None
    message_id: str | None
    answer: str


@dataclass(frozen=True)
class Claimed:
    """A delivery that is ours alone until its lease ends; ``lease`` is what the result must be handed in with."""

    id: str
    lease: str
    person_id: str
    attempts: int
    planned_at: datetime
    notice: Notice


@dataclass(frozen=True)
class RetryPolicy:
    """Pauses between attempts; the last one is repeated until a delivery is ``give_up_after`` old."""

    pauses: tuple[timedelta, ...]
    give_up_after: timedelta

    def next_try(self, attempts: int, planned_at: datetime, now: datetime) -> datetime | None:
        """When to try again after that many attempts; None when it is time to give up."""
        if now - planned_at >= self.give_up_after:
            return None
        return now + self.pauses[min(attempts, len(self.pauses)) - 1]


@dataclass(frozen=True)
class Verdict:
    """What becomes of a delivery after an attempt."""

    state: DeliveryState
    answer: str
    next_try_at: datetime | None = None
    suppresses_address: bool = False


def reader_of(recipient: Recipient | None) -> Party | Withheld | Rejected:
    """Whom to write to, or why nothing is sent."""
    if recipient is None or not recipient.is_active:
        return Withheld("the person is no longer active", is_lost=False)
    if recipient.is_suppressed:
        return Withheld("the mail server has refused this person's address before", is_lost=True)
    if wire_address(recipient.address) is None:
        return UNDELIVERABLE
    return Party(recipient.name, recipient.address)


def judge(outcome: Outcome | Withheld, claimed: Claimed, policy: RetryPolicy, now: datetime) -> Verdict:
    """What an attempt's outcome means for the delivery.

    Only a refused recipient ends it at once. Any other refusal is about us (an expired password, say) and may be mended
    while we go on trying: it must not cut off a whole hospital.
    """
    match outcome:
        case Accepted():
            return Verdict("accepted", _answer(outcome.code, outcome.text))
        case Withheld():
            return Verdict("bounced" if outcome.is_lost else "superseded", outcome.reason)
        case Rejected(recipient_refused=True):
            return Verdict("bounced", _answer(outcome.code, outcome.text), suppresses_address=True)
    answer = _answer(outcome.code, outcome.text)
    next_try_at = policy.next_try(claimed.attempts, claimed.planned_at, now)
    if next_try_at is None:
        return Verdict("bounced", f"given up: {answer}")
    return Verdict("planned", answer, next_try_at)


def is_urgent(kind: NoticeKind) -> bool:
    """Whether mail of that kind has a lane of its own, which no announcement can block."""
    return kind in get_args(AlertNoticeKind)


def thread_name(prefix: str, about: str) -> str:
    """The thread of all mail about one thing, in the letters that a Message-ID takes."""
    return f"{prefix}-{_NOT_IN_THREAD.sub('-', about)}"


def _answer(code: int | None, text: str) -> str:
    said = _ADDRESS.sub("(address)", text)
    return said if code is None else f"{code} {said}"
