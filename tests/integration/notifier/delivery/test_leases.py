"""A delivery belongs to one sender at a time."""

from dataclasses import replace
from datetime import timedelta

from services.notifier.__main__ import build
from services.notifier.audience import handlers as audience
from services.notifier.delivery import handlers
from services.notifier.delivery.domain import Accepted, Claimed, Deferred, NewNotice, RetryPolicy
from services.notifier.settings import NotifierSettings
from shared.database import Pool
from shared.events import Event
from shared.events.inventory import PersonChanged
from shared.service import Service
from shared.transactions import begin
from tests.integration.conftest import Run
from tests.integration.notifier.stage import WINDOW, notifier
from tests.parts.smtp import SmtpServer

POLICY = RetryPolicy((timedelta(minutes=1),), timedelta(days=4))
ANA = PersonChanged(name="Ana", email="ana@north.example", roles=["clinician"], active=True, version=1)


def build_without_senders(pool: Pool, settings: NotifierSettings) -> Service:
    """Notifier in which nothing happens by itself."""
    return replace(build(pool, settings), work={})


async def plan_delivery(pool: Pool) -> None:
    """One notice, addressed to one person."""
    async with begin(pool, "notifier", actor="test") as tx:
        told = Event("e", "/services/inventory", "", "ana", tx.now, "north", "a", "c", None, 1, None, ANA, b"")
        await audience.keep_person(tx, told)
        await handlers.plan_notice(tx, NewNotice("north", WINDOW, "announcement", 0, tx.now))
        await handlers.address_due_notices(tx)


async def lease(pool: Pool, duration: timedelta) -> list[Claimed]:
    """What a sender gets that asks now."""
    async with begin(pool, "notifier", actor="test") as tx:
        claimed, _ = await handlers.lease_deliveries(tx, urgent=False, limit=4, owner="test", duration=duration)
    return claimed


async def test_sender_that_outlived_its_lease_stores_and_publishes_nothing(run: Run, mail_server: SmtpServer) -> None:
    """The one who took over does; nobody else gets the delivery before that lease ends."""
    _, kind, values = notifier(mail_server)["notifier"]
    async with run(notifier=(build_without_senders, kind, values)) as steward:
        pool = steward.pools["notifier"]
        await plan_delivery(pool)
        [late] = await lease(pool, timedelta(0))
        [present] = await lease(pool, timedelta(minutes=1))
        assert (late.id, late.attempts, present.id, present.attempts) == (present.id, 1, late.id, 2)
        assert await lease(pool, timedelta(minutes=1)) == []
        for claimed, outcome in ((late, Accepted(250, "late")), (present, Accepted(250, "present"))):
            async with begin(pool, "notifier", actor="test") as tx:
                await handlers.settle_delivery(tx, claimed, outcome, f"<{claimed.id}@group.example>", POLICY)
        async with begin(pool, "notifier", actor="test") as tx:
            await handlers.settle_delivery(tx, late, Deferred(451, "later still"), "<x@group.example>", POLICY)
        assert await pool.fetchval("SELECT answer FROM deliveries WHERE state = 'accepted'") == "250 present"
        await steward.heard.until("notice.sent")
        assert len([event for event in steward.heard.events if event.type == "notice.sent"]) == 1
