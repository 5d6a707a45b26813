"""SQL of the ledger: notices and their deliveries."""

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from services.notifier.delivery.domain import (
    Claimed,
    Delivery,
    DeliveryState,
    NewNotice,
    Notice,
    NoticeState,
    Origin,
    Verdict,
)
from shared.database import Connection

CHANNEL = "steward_notifier"

NOTICE = """n.id, n.site_id, n.about, n.kind, n.revision, n.due_at, n.expires_at, n.breaches_lead_time, n.state,
            n.planned_at, n.correlation_id, n.causation_id, n.traceparent"""

# A resolved mail waits while its raised one is still on the way to the same person.
IS_BEHIND_ITS_ALERT = """n.kind = 'alert_resolved' AND EXISTS (
    SELECT FROM notices r LEFT JOIN deliveries rd ON rd.notice_id = r.id AND rd.person_id = d.person_id
    WHERE r.about = n.about AND r.kind = 'alert_raised'
      AND (r.state = 'planned' OR rd.state IN ('planned', 'leased')))"""


async def ring(conn: Connection) -> None:
    """Wakes every lane of every replica when this transaction commits."""
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


async def upsert_notice(conn: Connection, notice_id: str, new: NewNotice, now: datetime, origin: Origin) -> None:
    """Plans the notice. One that is planned already gets the new due time; one that is past that keeps its own."""
    await conn.execute(
        """INSERT INTO notices (id, site_id, about, kind, revision, due_at, expires_at, breaches_lead_time, planned_at,
                                correlation_id, causation_id, traceparent)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
           ON CONFLICT (about, kind, revision) DO UPDATE SET
               due_at = CASE WHEN notices.state = 'planned' THEN $6 ELSE notices.due_at END,
               expires_at = $7""",
        notice_id,
        new.site_id,
        new.about,
        new.kind,
        new.revision,
        new.due_at,
        new.expires_at,
        new.breaches_lead_time,
        now,
        *origin,
    )


async def supersede_older(conn: Connection, about: str, revision: int, now: datetime) -> None:
    """Ends all that was planned for older revisions. What is leased just now is judged again by its sender."""
    await conn.execute(
        "UPDATE notices SET state = 'superseded' WHERE about = $1 AND revision < $2 AND state = 'planned'",
        about,
        revision,
    )
    await conn.execute(
        """UPDATE deliveries d SET state = 'superseded', settled_at = $3, answer = 'a newer notice took its place'
           FROM notices n WHERE n.id = d.notice_id AND n.about = $1 AND n.revision < $2 AND d.state = 'planned'""",
        about,
        revision,
        now,
    )


async def lock_due_notices(conn: Connection, now: datetime, limit: int) -> list[Notice]:
    """Planned notices whose time has come, oldest first; those that another replica works on are left out."""
    rows = await conn.fetch(
        f"""SELECT {NOTICE} FROM notices n WHERE n.state = 'planned' AND n.due_at <= $1
            ORDER BY n.due_at, n.id LIMIT $2 FOR UPDATE SKIP LOCKED""",  # noqa: S608 -- the column list is a constant
        now,
        limit,
    )
    return [Notice.model_validate(dict(row)) for row in rows]


async def select_next_due(conn: Connection, now: datetime) -> datetime | None:
    """When the next planned notice is due."""
    due: datetime | None = await conn.fetchval(
        "SELECT min(due_at) FROM notices WHERE state = 'planned' AND due_at > $1", now
    )
    return due


async def select_told(conn: Connection, site_id: str, kinds: Collection[str], now: datetime) -> list[Notice]:
    """Notices of the site that have gone out (or had nobody to go to) and still hold."""
    rows = await conn.fetch(
        f"""SELECT {NOTICE} FROM notices n WHERE n.site_id = $1 AND n.kind = ANY($2::text[])
              AND n.state IN ('addressed', 'nobody') AND (n.expires_at IS NULL OR n.expires_at > $3)
            ORDER BY n.id FOR UPDATE""",  # noqa: S608 -- the column list is a constant
        site_id,
        list(kinds),
        now,
    )
    return [Notice.model_validate(dict(row)) for row in rows]


async def update_notice_state(conn: Connection, notice_id: str, state: NoticeState) -> None:
    """Keeps what became of a notice that was due."""
    await conn.execute("UPDATE notices SET state = $2 WHERE id = $1", notice_id, state)


async def insert_deliveries(
    conn: Connection, notice_id: str, urgent: bool, ids: Sequence[str], person_ids: Sequence[str], now: datetime
) -> None:
    """Plans one delivery to each person who has none of this notice yet."""
    await conn.execute(
        """INSERT INTO deliveries (id, notice_id, person_id, urgent, next_try_at, planned_at)
           SELECT given.id, $1, given.person_id, $2, $5, $5 FROM unnest($3::text[], $4::text[]) AS given (id, person_id)
           ON CONFLICT (notice_id, person_id, channel) DO NOTHING""",
        notice_id,
        urgent,
        list(ids),
        list(person_ids),
        now,
    )


async def lease_due(
    conn: Connection, urgent: bool, limit: int, lease: str, now: datetime, lease_until: datetime
) -> list[Claimed]:
    """Leases up to ``limit`` deliveries of the lane that are due, or whose sender was lost with its lease."""
    rows = await conn.fetch(
        f"""WITH taken AS (
                SELECT d.id FROM deliveries d JOIN notices n ON n.id = d.notice_id
                WHERE d.urgent = $1 AND d.state IN ('planned', 'leased') AND d.next_try_at <= $4
                  AND NOT ({IS_BEHIND_ITS_ALERT})
                ORDER BY d.next_try_at, d.id LIMIT $2 FOR UPDATE OF d SKIP LOCKED)
            UPDATE deliveries d
            SET state = 'leased', lease_owner = $3, next_try_at = $5, attempts = d.attempts + 1
            FROM taken, notices n WHERE d.id = taken.id AND n.id = d.notice_id
            RETURNING d.id AS delivery_id, d.person_id, d.attempts, d.planned_at AS written_at, {NOTICE}""",  # noqa: S608 -- constants
        urgent,
        limit,
        lease,
        now,
        lease_until,
    )
    return [_claimed(row, lease) for row in rows]


async def select_next_try(conn: Connection, urgent: bool, now: datetime) -> datetime | None:
    """When the lane's next delivery is due or the next lease ends."""
    next_try_at: datetime | None = await conn.fetchval(
        """SELECT min(next_try_at) FROM deliveries
           WHERE urgent = $1 AND state IN ('planned', 'leased') AND next_try_at > $2""",
        urgent,
        now,
    )
    return next_try_at


async def settle(conn: Connection, claimed: Claimed, verdict: Verdict, message_id: str, now: datetime) -> bool:
    """Stores what became of an attempt. False, and nothing stored, when the lease has gone to somebody else."""
    return bool(
        await conn.fetchval(
            """UPDATE deliveries SET state = $3, answer = $4, next_try_at = coalesce($5, next_try_at), message_id = $6,
                                     settled_at = CASE WHEN $3 <> 'planned' THEN $7::timestamptz END, lease_owner = NULL
               WHERE id = $1 AND lease_owner = $2 AND state = 'leased' RETURNING true""",
            claimed.id,
            claimed.lease,
            verdict.state,
            verdict.answer,
            verdict.next_try_at,
            message_id,
            now,
        )
    )


async def select_notices(
    conn: Connection,
    visible: Collection[str] | None,
    about: str | None,
    state: NoticeState | None,
    after: str | None,
    limit: int,
) -> list[Notice]:
    """Notices by id behind ``after``; ``visible`` None stands for all sites."""
    rows = await conn.fetch(
        f"""SELECT {NOTICE} FROM notices n
            WHERE ($1::text[] IS NULL OR n.site_id = ANY($1)) AND ($2::text IS NULL OR n.about = $2)
              AND ($3::text IS NULL OR n.state = $3) AND ($4::text IS NULL OR n.id > $4)
            ORDER BY n.id LIMIT $5""",  # noqa: S608 -- the column list is a constant
        None if visible is None else list(visible),
        about,
        state,
        after,
        limit,
    )
    return [Notice.model_validate(dict(row)) for row in rows]


async def select_deliveries(
    conn: Connection,
    visible: Collection[str] | None,
    about: str | None,
    state: DeliveryState | None,
    after: str | None,
    limit: int,
) -> list[Delivery]:
    """Deliveries by id behind ``after``; ``visible`` None stands for all sites."""
    rows = await conn.fetch(
        """SELECT d.id, d.notice_id, n.site_id, n.about, n.kind, n.revision, d.person_id, d.channel, d.state,
                  d.attempts, d.planned_at, CASE WHEN d.settled_at IS NULL THEN d.next_try_at END AS next_try_at,
                  d.settled_at, d.message_id, d.answer
           FROM deliveries d JOIN notices n ON n.id = d.notice_id
           WHERE ($1::text[] IS NULL OR n.site_id = ANY($1)) AND ($2::text IS NULL OR n.about = $2)
             AND ($3::text IS NULL OR d.state = $3) AND ($4::text IS NULL OR d.id > $4)
           ORDER BY d.id LIMIT $5""",
        None if visible is None else list(visible),
        about,
        state,
        after,
        limit,
    )
    return [Delivery.model_validate(dict(row)) for row in rows]


def _claimed(row: asyncpg.Record, lease: str) -> Claimed:
    return Claimed(
        id=row["delivery_id"],
        lease=lease,
        person_id=row["person_id"],
        attempts=row["attempts"],
        planned_at=row["written_at"],
        notice=Notice.model_validate(dict(row)),
    )
