"""Puts a window's notice into words for one reader, right before it is sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from services.notifier.announcements import store
from services.notifier.announcements.calendar import Status, WindowWords, calendar_of, method_of
from services.notifier.announcements.domain import PlannedNotice, is_sendable
from services.notifier.announcements.windows import KnownWindow, wanted_notices
from services.notifier.announcements.wording import window_content, window_thread
from services.notifier.audience import handlers as audience
from services.notifier.audience.domain import Place, current_name
from services.notifier.delivery.addresses import Party
from services.notifier.delivery.domain import TELL_TIMES, Claimed, Notice, Withheld
from services.notifier.delivery.message import Invitation, Letter
from shared.database import Connection
from shared.events.notifier import WindowNoticeKind


@dataclass(frozen=True)
class WindowWriter:
    """Writes as ``organizer``, whose address must stay the same as long as windows are in people's calendars."""

    organizer: Party

    async def write(self, conn: Connection, claimed: Claimed, reader: Party, now: datetime) -> Letter | Withheld:
        """The letter by what is known of the window at ``now``, unless the notice no longer holds.

        A notice that expired while the mail server refused it counts as lost.
        """
        notice = claimed.notice
        window = await store.select_window(conn, notice.about)
        planned = None if window is None else _still_wanted(notice, window)
        if window is None or planned is None:
            return Withheld("a newer notice took its place", is_lost=False)
        if not is_sendable(planned, window.timetable(), now):
            return Withheld("it came too late to be of use", is_lost=claimed.attempts > 1)
        place = await audience.find_place(conn, window.site_id)
        names = await audience.asset_names(conn, [system.id for system in window.facts.systems])
        return self._letter(notice, window, _maintenance(window, place, names), reader)

    def _letter(self, notice: Notice, window: KnownWindow, words: WindowWords, reader: Party) -> Letter:
        kind = cast(WindowNoticeKind, notice.kind)
        content = window_content(
            kind,
            words,
            previous=window.previous if kind == "changed" else None,
            happened_at={"started": window.started_at, "finished": window.ended_at}.get(kind),
            cancellation_reason=window.cancellation_reason if kind == "cancelled" else "",
        )
        invitation = None
        if kind in TELL_TIMES or kind == "cancelled":
            calendar = calendar_of(words, organizer=self.organizer, attendee=reader, dtstamp=notice.planned_at)
            invitation = Invitation(method_of(words), calendar)
        return Letter(window_thread(notice.about), content, invitation)


def _still_wanted(notice: Notice, window: KnownWindow) -> PlannedNotice | None:
    wanted = (planned for planned in wanted_notices(window) if planned.kind == notice.kind)
    return next((planned for planned in wanted if planned.revision == notice.revision), None)


def _maintenance(window: KnownWindow, place: Place, names: dict[str, str]) -> WindowWords:
    facts = window.facts
    return WindowWords(
        window_id=facts.window_id,
        revision=facts.revision,
        title=facts.title,
        starts_at=facts.starts_at,
        ends_at=facts.ends_at,
        site_name=place.name,
        time_zone=place.time_zone,
        systems=tuple(current_name(system.id, system.name, names) for system in facts.systems),
        impact=facts.impact,
        reason=facts.reason,
        contact=facts.contact,
        status=_status(window),
    )


def _status(window: KnownWindow) -> Status:
    if window.cancelled_at is not None:
        return "CANCELLED"
    if window.ended_at is not None:
        return "COMPLETED"
    return "CONFIRMED" if window.started_at is None else "IN-PROCESS"
