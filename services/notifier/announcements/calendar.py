"""The iCalendar object (RFC 5545, iTIP RFC 5546) of a maintenance window, with the MAINTNOTE properties."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from icalendar import Calendar, Event, vCalAddress, vText

from services.notifier.delivery.addresses import Party
from services.notifier.delivery.text import clean, one_line
from shared.events.maintenance import Impact
from shared.mail_address import wire_address

Status = Literal["TENTATIVE", "CONFIRMED", "CANCELLED", "IN-PROCESS", "COMPLETED"]
Method = Literal["REQUEST", "CANCEL"]

IMPACT_WORDS: dict[Impact, str] = {
    "NO-IMPACT": "None expected",
    "REDUCED-REDUNDANCY": "Works, but without its usual fallback",
    "DEGRADED": "Slow or interrupted",
    "OUTAGE": "Not usable",
}


@dataclass(frozen=True)
class WindowWords:
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


def method_of(words: WindowWords) -> Method:
    """The iTIP method that brings this revision into the reader's calendar, or out of it."""
    return "CANCEL" if words.status == "CANCELLED" else "REQUEST"


def calendar_of(words: WindowWords, *, organizer: Party, attendee: Party, dtstamp: datetime) -> str:
    """The window as one iCalendar object for one reader.

    UID and ORGANIZER stay the same over all revisions as long as `organizer.address` does; SEQUENCE is the revision.
    The same arguments give the same text. Raises ValueError for a party without a mail address.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Steward//Maintenance windows//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method_of(words))
    calendar.add_component(_event(words, organizer, attendee, dtstamp))
    return str(calendar.to_ical(), "utf-8")


def _event(words: WindowWords, organizer: Party, attendee: Party, dtstamp: datetime) -> Event:
    domain = _wire(organizer).rpartition("@")[2]
    event = Event()
    event.add("uid", vText(f"window-{one_line(words.window_id)}@{domain}"))
    event.add("sequence", words.revision)
    event.add("dtstamp", dtstamp.astimezone(UTC))
    event.add("dtstart", words.starts_at.astimezone(UTC))
    event.add("dtend", words.ends_at.astimezone(UTC))
    event.add("summary", vText(clean(words.title)))
    event.add("location", vText(clean(words.site_name)))
    event.add("description", vText(_description(words)))
    event.add("status", _event_status(words))
    # The window is for the reader to know of; it does not make the reader busy.
    event.add("transp", "TRANSPARENT")
    event.add("organizer", _address(organizer))
    event.add("attendee", _address(attendee, ROLE="NON-PARTICIPANT", PARTSTAT="NEEDS-ACTION", RSVP="FALSE"))
    _add_maintnote(event, words, provider=domain)
    return event


def _event_status(words: WindowWords) -> str:
    """STATUS of a VEVENT (RFC 5545 §3.8.1.11), which knows nothing of work going on or done."""
    return words.status if words.status in ("TENTATIVE", "CANCELLED") else "CONFIRMED"


def _description(words: WindowWords) -> str:
    lines = [f"Affected: {', '.join(words.systems)}", f"Impact: {IMPACT_WORDS[words.impact]}"]
    lines += [f"{label}: {text}" for label, text in (("Reason", words.reason), ("Contact", words.contact)) if text]
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


def _add_maintnote(event: Event, words: WindowWords, provider: str) -> None:
    event.add("x-maintnote-provider", vText(provider))
    event.add("x-maintnote-account", vText(one_line(words.site_name)))
    event.add("x-maintnote-maintenance-id", vText(one_line(words.window_id)))
    for system in words.systems:
        event.add("x-maintnote-object-id", vText(one_line(system)))
    event.add("x-maintnote-impact", vText(words.impact))
    event.add("x-maintnote-status", vText(words.status))
