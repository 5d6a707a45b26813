"""Wires notifier."""

from datetime import timedelta

import uvloop

from services.notifier.alerts.consumer import HANDLERS as ALERTS
from services.notifier.alerts.writer import AlertWriter
from services.notifier.announcements.consumer import HANDLERS as ANNOUNCEMENTS
from services.notifier.announcements.writer import WindowWriter
from services.notifier.audience.consumer import HANDLERS as AUDIENCE
from services.notifier.delivery.addresses import Party
from services.notifier.delivery.api import router as delivery
from services.notifier.delivery.bell import Bell
from services.notifier.delivery.consumer import HANDLERS as DELIVERY
from services.notifier.delivery.domain import RetryPolicy
from services.notifier.delivery.schedule import Addressing, Lane, Outbound
from services.notifier.delivery.smtp import Mailer
from services.notifier.settings import NotifierSettings
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: NotifierSettings) -> Service:
    """Notifier over its database and its mail server."""
    out = _outbound(settings)
    bell = Bell(settings.database)
    alerts, windows = AlertWriter(settings.mail_contact), WindowWriter(out.sender)
    return Service(
        name="notifier",
        routers=[delivery],
        # The audience comes first: who has just joined is told what still holds by what is known of him then.
        handlers=[AUDIENCE, ANNOUNCEMENTS, ALERTS, DELIVERY],
        work={
            "bell": bell.listen,
            "addressing": Addressing(pool, bell.sleeper()).run,
            "alert_mail": Lane(pool, out, alerts.write, urgent=True, woken=bell.sleeper()).run,
            "announcement_mail": Lane(pool, out, windows.write, urgent=False, woken=bell.sleeper()).run,
        },
    )


def _outbound(settings: NotifierSettings) -> Outbound:
    mailer = Mailer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.mail_sender,
        tls=settings.smtp_tls,
        username=settings.smtp_username,
        password=settings.smtp_password,
        timeout=settings.smtp_timeout,
        ca_file=settings.smtp_ca,
    )
    policy = RetryPolicy(
        pauses=tuple(timedelta(seconds=pause) for pause in settings.mail_retry_seconds),
        give_up_after=timedelta(seconds=settings.mail_give_up_seconds),
    )
    sender = Party(settings.mail_sender_name, settings.mail_sender)
    return Outbound(mailer, sender, policy, settings.lease())


def main() -> None:
    """Runs notifier alone."""
    settings = load(NotifierSettings)
    uvloop.run(run_alone("notifier", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
