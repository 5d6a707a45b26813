"""What the tests of notifier stand on: a mail server, two hospitals with people, and the services that it hears of."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, TypeVar

from icalendar import Calendar

from services.notifier.__main__ import build
from services.notifier.settings import NotifierSettings
from shared.events import EventData
from shared.events.alerts import AlertRaised, AlertResolved
from shared.events.inventory import PersonChanged, PersonRole, SiteChanged
from shared.events.maintenance import SystemRef, Window
from tests.harness import Harness, Voice
from tests.integration.conftest import Run, Speak
from tests.news import until
from tests.parts.smtp import Received, SmtpServer

SITE = SiteChanged(name="Northfield General Hospital", time_zone="Europe/Berlin", version=1)
ARCHIVE = "0199c3f2-7a51-7c3e-9d55-000000000001"
WINDOW = "0199c3f2-7a51-7c3e-9d55-00000000000a"
ALERT = "0199c3f2-7a51-7c3e-9d55-0000000000aa"
STARTS = datetime(2030, 6, 14, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
TRY_NOW = "UPDATE deliveries SET next_try_at = now(); NOTIFY steward_notifier"
"""Ends every pause before the next try, and every lease of a sender that is gone."""

W = TypeVar("W", bound=Window)


def notifier(server: SmtpServer, **more: Any) -> dict[str, Any]:
    """The service for ``run``: has a minute for a mail, as a busy machine may need, and tries again after 50 ms."""
    settings = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "smtp_tls": "none",
        "smtp_timeout": 60.0,
        "mail_sender": "steward@group.example",
        "mail_contact": "PACS team, 4711",
        "mail_retry_seconds": "0.05",
    }
    return {"notifier": (build, NotifierSettings, settings | more)}


@dataclass(frozen=True)
class Stage:
    """A running notifier, its mail server, and the voices of those whom it listens to."""

    steward: Harness
    server: SmtpServer
    inventory: Voice
    maintenance: Voice
    probes: Voice

    async def settle_site(self, site: SiteChanged = SITE, site_id: str = "north") -> None:
        """Tells of the site; notifier knows it when this returns."""
        await self.inventory.say(site, subject=site_id, site_id=site_id)
        await self.until("SELECT true FROM sites WHERE id = $1 AND version >= $2", site_id, site.version)

    async def settle_person(
        self,
        name: str,
        role: PersonRole = "clinician",
        *,
        site_id: str = "north",
        active: bool = True,
        version: int = 1,
        email: str | None = None,
    ) -> None:
        """Tells of a person, whose id is the name; notifier knows it when this returns."""
        address = email or f"{name}@{site_id}.example"
        person = PersonChanged(name=name.title(), email=address, roles=[role], active=active, version=version)
        await self.inventory.say(person, subject=name, site_id=site_id)
        await self.until("SELECT true FROM people WHERE id = $1 AND version >= $2", name, version)

    async def tell_window(self, event: Window, *, now: datetime | None = None, site_id: str = "north") -> None:
        """Publishes an event of a window."""
        await self.maintenance.say(event, subject=site_id, site_id=site_id, now=now)

    async def tell_alert(self, event: EventData, site_id: str = "north") -> None:
        """Publishes an event of an alert."""
        await self.probes.say(event, subject=ARCHIVE, site_id=site_id)

    async def until(self, query: str, *args: object) -> None:
        """Waits until notifier's database answers ``query`` with true."""
        await until(self.steward.pools["notifier"], query, *args)

    async def until_settled(self, kind: str, deliveries: int) -> list[dict[str, Any]]:
        """The deliveries of that kind once so many have come to their end, by person."""
        await self.until(
            """SELECT count(*) FILTER (WHERE settled_at IS NOT NULL) = $2 AND count(*) = $2
               FROM deliveries d JOIN notices n ON n.id = d.notice_id WHERE n.kind = $1""",
            kind,
            deliveries,
        )
        found = (await self.steward.admin.get("/notifier/v1/deliveries")).json()["items"]
        return sorted((d for d in found if d["kind"] == kind), key=lambda delivery: str(delivery["person_id"]))

    async def mails(self, count: int) -> list[Received]:
        """All mails that the server has, once it has so many; by time of arrival."""
        await self.server.wait_for(lambda received: len(received) >= count)
        assert len(self.server.messages) == count
        return list(self.server.messages)


@asynccontextmanager
async def staged(run: Run, speak: Speak, server: SmtpServer, **settings: Any) -> AsyncIterator[Stage]:
    """Opens the stage; leaving it kills notifier wherever it is."""
    async with AsyncExitStack() as stack:
        names = ("inventory", "maintenance", "probes")
        inventory, maintenance, probes = [await stack.enter_async_context(speak(name)) for name in names]
        steward = await stack.enter_async_context(run(**notifier(server, **settings)))
        yield Stage(steward, server, inventory, maintenance, probes)


def window(kind: type[W], *, revision: int = 0, starts_at: datetime = STARTS, **more: Any) -> W:
    """An event of the one window that these tests are about."""
    facts = {
        "window_id": WINDOW,
        "revision": revision,
        "title": "Database upgrade",
        "reason": "Security fix",
        "impact": "OUTAGE",
        "starts_at": starts_at,
        "ends_at": starts_at + 4 * HOUR,
        "systems": [SystemRef(id=ARCHIVE, name="North archive")],
        "contact": "Ana Ito, 4712",
    }
    return kind.model_validate(facts | more)


def raised(alert_id: str = ALERT, **more: Any) -> AlertRaised:
    """An alert on the archive."""
    facts = {
        "alert_id": alert_id,
        "check": "dicom-echo",
        "asset_name": "North archive",
        "severity": "critical",
        "summary": "no answer to C-ECHO",
        "since": datetime.now(UTC) - HOUR,
    }
    return AlertRaised.model_validate(facts | more)


def resolved(alert_id: str = ALERT) -> AlertResolved:
    """The end of that alert."""
    return AlertResolved(
        alert_id=alert_id,
        check="dicom-echo",
        asset_name="North archive",
        summary="answers again",
        raised_at=datetime.now(UTC) - HOUR,
        resolved_at=datetime.now(UTC),
    )


def part(message: EmailMessage, subtype: str) -> str:
    """The text of the message's part ``text/<subtype>``."""
    [found] = [p for p in message.walk() if p.get_content_type() == f"text/{subtype}"]
    content = found.get_content()
    return (content if isinstance(content, str) else content.decode()).replace("\r\n", "\n")


def calendar_of(message: EmailMessage) -> Calendar:
    """The invitation that the message carries."""
    return Calendar.from_ical(part(message, "calendar"))


def subjects(mails: list[Received]) -> list[str]:
    """What each mail is about: its subject up to the first colon, without the site."""
    return [re.sub(r"^\s*\[.*?\] ", "", str(mail.message["Subject"])).split(":")[0] for mail in mails]
