"""SQL of alerts."""

from services.notifier.alerts.domain import KnownAlert
from shared.database import Connection
from shared.events.alerts import AlertRaised, AlertResolved, AlertTransitioned


async def lock_alert(conn: Connection, alert_id: str) -> KnownAlert | None:
    """The alert, alone until the transaction ends, also while it is not stored yet."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"alert {alert_id}")
    return await select_alert(conn, alert_id)


async def select_alert(conn: Connection, alert_id: str) -> KnownAlert | None:
    """The alert, if it has been heard of."""
    row = await conn.fetchrow("SELECT * FROM alerts WHERE id = $1", alert_id)
    if row is None:
        return None
    return KnownAlert(
        id=row["id"],
        site_id=row["site_id"],
        asset_id=row["asset_id"],
        raised=AlertRaised.model_validate(row["raised"]) if row["raised"] else None,
        resolved=AlertResolved.model_validate(row["resolved"]) if row["resolved"] else None,
        resolved_heard_at=row["resolved_heard_at"],
        turns={what: AlertTransitioned.model_validate(told) for what, told in row["turns"].items()},
    )


async def upsert_alert(conn: Connection, alert: KnownAlert) -> None:
    """Keeps what is known of the alert."""
    await conn.execute(
        """INSERT INTO alerts (id, site_id, asset_id, raised, resolved, resolved_heard_at, turns)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (id) DO UPDATE SET raised = $4, resolved = $5, resolved_heard_at = $6, turns = $7""",
        alert.id,
        alert.site_id,
        alert.asset_id,
        alert.raised.model_dump(mode="json") if alert.raised else None,
        alert.resolved.model_dump(mode="json") if alert.resolved else None,
        alert.resolved_heard_at,
        {what: told.model_dump(mode="json") for what, told in alert.turns.items()},
    )
