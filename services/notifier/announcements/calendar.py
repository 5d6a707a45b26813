"""The iCalendar object (RFC 5545, iTIP RFC 5546) of a maintenance window, with the MAINTNOTE properties."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from icalendar import Calendar, Event, vCalAddress, vText

from services.notifier.delivery.addresses import Party
from services.notifier.delivery.text import clean, one_line
from shared.mail_address import wire_address

Impact = Literal["NO-IMPACT", "REDUCED-REDUNDANCY", "DEGRADED", "OUTAGE"]
Status = Literal["TENTATIVE", "CONFIRMED", "CANCELLED", "IN-PROCESS", "COMPLETED"]
Method = Literal["REQUEST", "CANCEL"]

IMPACT_WORDS: dict[Impact, str] = {
    "NO-IMPACT": "None expected",
    "REDUCED-REDUNDANCY": "Works, but without its usual fallback",
    "DEGRADED": "Slow or interrupted",
    "OUTAGE": "Not usable",
}


@dataclass(frozen=True)
class MaintenanceNotice:
    """What there is to say about one revision of a window. `starts_at` and `ends_at` are aware UTC times."""

    window_id: str
    revision: int
    title: str
    starts_at: datetime
    ends_at: datetime
    site_name: str
    time_zone: str
    systems: tuple[str, ...]
    impact: Impact
    reason: str
    contact: str
    status: Status


def method_of(notice: MaintenanceNotice) -> Method:
    """The iTIP method that brings this revision into the reader's calendar, or out of it."""
    return "CANCEL" if notice.status == "CANCELLED" else "REQUEST"


def calendar_of(notice: MaintenanceNotice, *, organizer: Party, attendee: Party, dtstamp: datetime) -> str:
    """The window as one iCalendar object for one reader.

    UID and ORGANIZER stay the same over all revisions as long as `organizer.address` does; SEQUENCE is the revision.
    The same arguments give the same text. Raises ValueError for a party without a mail address.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Steward//Maintenance windows//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method_of(notice))
    calendar.add_component(_event(notice, organizer, attendee, dtstamp))
    return str(calendar.to_ical(), "utf-8")


def _event(notice: MaintenanceNotice, organizer: Party, attendee: Party, dtstamp: datetime) -> Event:
    domain = _wire(organizer).rpartition("@")[2]
    event = Event()
    event.add("uid", vText(f"window-{one_line(notice.window_id)}@{domain}"))
    event.add("sequence", notice.revision)
    event.add("dtstamp", dtstamp.astimezone(UTC))
    event.add("dtstart", notice.starts_at.astimezone(UTC))
    event.add("dtend", notice.ends_at.astimezone(UTC))
    event.add("summary", vText(clean(notice.title)))
    event.add("location", vText(clean(notice.site_name)))
    event.add("description", vText(_description(notice)))
    event.add("status", _event_status(notice))
    # The window is for the reader to know of; it does not make the reader busy.
    event.add("transp", "TRANSPARENT")
    event.add("organizer", _address(organizer))
    event.add("attendee", _address(attendee, ROLE="NON-PARTICIPANT", PARTSTAT="NEEDS-ACTION", RSVP="FALSE"))
    _add_maintnote(event, notice, provider=domain)
    return event


def _event_status(notice: MaintenanceNotice) -> str:
    """STATUS of a VEVENT (RFC 5545 §3.8.1.11), which knows nothing of work going on or done."""
    return notice.status if notice.status in ("TENTATIVE", "CANCELLED") else "CONFIRMED"


def _description(notice: MaintenanceNotice) -> str:
    lines = [f"Affected: {', '.join(notice.systems)}", f"Impact: {IMPACT_WORDS[notice.impact]}"]
    lines += [f"{label}: {text}" for label, text in (("Reason", notice.reason), ("Contact", notice.contact)) if text]
    return clean("\n".join(lines))


def _address(party: Party, **parameters: str) -> vCalAddress:
    address = vCalAddress(f"mailto:{_wire(party)}")
    name = one_line(party.name).replace('"', "'")
    address.params.update({"CN": name, **parameters} if name else parameters)
    return address


def _wire(party: Party) -> str:
    address = wire_address(party.address)
    if address is None:
        raise ValueError(f"not a mail address: {party.address!r}")
    return address


def _add_maintnote(event: Event, notice: MaintenanceNotice, provider: str) -> None:
    event.add("x-maintnote-provider", vText(provider))
    event.add("x-maintnote-account", vText(one_line(notice.site_name)))
    event.add("x-maintnote-maintenance-id", vText(one_line(notice.window_id)))
    for system in notice.systems:
        event.add("x-maintnote-object-id", vText(one_line(system)))
    event.add("x-maintnote-impact", vText(notice.impact))
    event.add("x-maintnote-status", vText(notice.status))
