"""Events of notifier: who was told. They name the person, never the address."""

from typing import Literal

from shared.events.contract import EventData, Instant

WindowNoticeKind = Literal["announcement", "short_notice", "reminder", "started", "finished", "changed", "cancelled"]
AlertNoticeKind = Literal["alert_raised", "alert_resolved"]
NoticeKind = Literal[WindowNoticeKind, AlertNoticeKind]


class NoticeSent(EventData, event_type="notice.sent"):
    """The mail server has accepted one notice for one person. ``about`` is the window or alert id."""

    delivery_id: str
    kind: NoticeKind
    about: str
    person_id: str
    channel: Literal["mail"]
    message_id: str
    accepted_at: Instant


class NoticeFailed(EventData, event_type="notice.failed"):
    """One notice will not reach one person; ``reason`` holds the server's answer without the address."""

    delivery_id: str
    kind: NoticeKind
    about: str
    person_id: str
    channel: Literal["mail"]
    reason: str
