"""Commands on the ledger: plan a notice, address it to people, lease its deliveries, settle them."""

from dataclasses import replace
from datetime import datetime, timedelta

from prometheus_client import Counter

from services.notifier.audience import handlers as audience
from services.notifier.audience.domain import audience_of
from services.notifier.delivery import store
from services.notifier.delivery.domain import (
    TELL_TIMES,
    Claimed,
    NewNotice,
    Notice,
    Origin,
    Outcome,
    RetryPolicy,
    Verdict,
    Withheld,
    is_urgent,
    judge,
)
from shared import telemetry
from shared.events import Event
from shared.events.inventory import PersonChanged
from shared.events.notifier import NoticeFailed, NoticeKind, NoticeSent
from shared.telemetry import log
from shared.transactions import Transaction, new_id

NOTICES_AT_ONCE = 50
UNHEARD = Counter("steward_notices_unheard_total", "Notices that were due while nobody was there to be told", ["kind"])
SETTLED = Counter("steward_deliveries_settled_total", "Deliveries by what became of them", ["kind", "state"])


async def plan_notice(tx: Transaction, new: NewNotice) -> None:
    """Plans a notice once; planning it again moves it to the new due time if it has not been due yet."""
    origin = Origin(tx.correlation_id, tx.causation_id, telemetry.traceparent())
    await store.upsert_notice(tx.conn, new_id(), new, tx.now, origin)
    await store.ring(tx.conn)


async def supersede_notices(tx: Transaction, about: str, *, before_revision: int) -> None:
    """Ends what is planned for older revisions and has not been sent."""
    await store.supersede_older(tx.conn, about, before_revision, tx.now)


async def address_due_notices(tx: Transaction) -> datetime | None:
    """Turns notices that are due into deliveries to those who are the audience now; tells when the next one is due."""
    due = await store.lock_due_notices(tx.conn, tx.now, NOTICES_AT_ONCE)
    for notice in due:
        person_ids = await audience.people_to_tell(tx.conn, notice.site_id, notice.kind)
        if person_ids:
            await _address(tx, notice, person_ids)
        else:
            await store.update_notice_state(tx.conn, notice.id, "nobody")
            UNHEARD.labels(notice.kind).inc()
            log.warning("notice.nobody_to_tell", kind=notice.kind, about=notice.about, site=notice.site_id)
    if due:
        await store.ring(tx.conn)
    return tx.now if len(due) == NOTICES_AT_ONCE else await store.select_next_due(tx.conn, tx.now)


async def tell_newcomer(tx: Transaction, event: Event[PersonChanged]) -> None:
    """Tells someone who has joined a site, or become its admin, of what still holds: open alerts, windows to come.

    This also mends a notice that overtook its readers: topics have no order among each other. What the person is by
    now decides, not what an older event says that is replayed.
    """
    audiences = await audience.audiences_with(tx.conn, event.site_id, event.subject)
    kinds: list[NoticeKind] = [*TELL_TIMES, "alert_raised"]
    wanted = [kind for kind in kinds if audience_of(kind) in audiences]
    for notice in await store.select_told(tx.conn, event.site_id, wanted, tx.now):
        await _address(tx, notice, [event.subject])
        await store.ring(tx.conn)


async def lease_deliveries(
    tx: Transaction, *, urgent: bool, limit: int, owner: str, duration: timedelta
) -> tuple[list[Claimed], datetime | None]:
    """Takes up to ``limit`` due deliveries for ``duration``; also tells when the next one will be due."""
    lease = f"{owner}/{new_id()}"
    claimed = await store.lease_due(tx.conn, urgent, limit, lease, tx.now, tx.now + duration) if limit else []
    return claimed, await store.select_next_try(tx.conn, urgent, tx.now)


async def settle_delivery(
    tx: Transaction, claimed: Claimed, outcome: Outcome | Withheld, message_id: str, policy: RetryPolicy
) -> None:
    """Stores what became of an attempt and, at the end of a delivery, publishes it.

    Nothing is stored or published when the lease has run out and another sender has taken over.
    """
    verdict = judge(outcome, claimed, policy, tx.now)
    if not await store.settle(tx.conn, claimed, verdict, message_id, tx.now):
        log.warning("delivery.lease_lost", delivery=claimed.id, outcome=verdict.state)
        return
    log.info(f"delivery.{verdict.state}", delivery=claimed.id, kind=claimed.notice.kind, answer=verdict.answer)
    if verdict.suppresses_address:
        await _suppress(tx, claimed, verdict)
    if verdict.state != "planned":
        SETTLED.labels(claimed.notice.kind, verdict.state).inc()
    _record(replace(tx, causation_id=claimed.notice.causation_id), claimed, verdict, message_id)


async def _address(tx: Transaction, notice: Notice, person_ids: list[str]) -> None:
    ids = [new_id() for _ in person_ids]
    await store.insert_deliveries(tx.conn, notice.id, is_urgent(notice.kind), ids, person_ids, tx.now)
    await store.update_notice_state(tx.conn, notice.id, "addressed")


async def _suppress(tx: Transaction, claimed: Claimed, verdict: Verdict) -> None:
    recipient = await audience.find_recipient(tx.conn, claimed.person_id)
    if recipient is not None:
        await audience.suppress_address(tx, recipient.address, verdict.answer)


def _record(tx: Transaction, claimed: Claimed, verdict: Verdict, message_id: str) -> None:
    notice = claimed.notice
    if verdict.state == "accepted":
        sent = NoticeSent(
            delivery_id=claimed.id,
            kind=notice.kind,
            about=notice.about,
            person_id=claimed.person_id,
            channel="mail",
            message_id=message_id,
            accepted_at=tx.now,
        )
        tx.record(sent, subject=notice.site_id, site_id=notice.site_id)
    elif verdict.state == "bounced":
        failed = NoticeFailed(
            delivery_id=claimed.id,
            kind=notice.kind,
            about=notice.about,
            person_id=claimed.person_id,
            channel="mail",
            reason=verdict.answer,
        )
        tx.record(failed, subject=notice.site_id, site_id=notice.site_id)
