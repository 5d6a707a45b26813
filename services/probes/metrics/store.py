"""SQL of metrics."""

from collections.abc import Collection

from services.probes.metrics.exposition import Standing
from shared.database import Connection

ROWS_AT_ONCE = 200
"""How many rows are taken from the database at a time: between them other requests and probes have their turn."""


async def select_standings(conn: Connection, visible: Collection[str] | None, site_id: str | None) -> list[Standing]:
    """Every probe with what it saw last in the last three days; ``visible`` None stands for all sites."""
    rows = conn.cursor(
        """SELECT p.id AS probe_id, p.kind, p.site_id, p.name, p.subject, p.system_id,
                  extract(epoch FROM p.interval)::double precision AS interval_seconds,
                  last.outcome, last.due_at, last.window_id IS NOT NULL AS in_window,
                  coalesce(last.phases, '{}') AS phases, coalesce(last.measures, '{}') AS measures,
                  coalesce(alert.phase, 'ok') AS alert_phase, coalesce(alert.open, 0) AS open_alerts
           FROM probes p
           LEFT JOIN LATERAL (SELECT outcome, due_at, window_id, phases, measures FROM results
                              WHERE probe_id = p.id AND due_at > now() - interval '3 days'
                              ORDER BY due_at DESC LIMIT 1) AS last ON true
           LEFT JOIN (SELECT probe_id, max(phase) FILTER (WHERE measure = '') AS phase, count(alert_id) AS open
                      FROM alert_states GROUP BY probe_id) AS alert ON alert.probe_id = p.id
           WHERE ($1::text[] IS NULL OR p.site_id = ANY($1)) AND ($2::text IS NULL OR p.site_id = $2)
           ORDER BY p.id""",
        None if visible is None else list(visible),
        site_id,
        prefetch=ROWS_AT_ONCE,
    )
    return [Standing(**dict(row)) async for row in rows]
