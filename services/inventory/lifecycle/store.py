"""SQL of the lifecycle."""

from services.inventory.lifecycle.domain import Transition
from shared.database import Connection


async def insert_transition(conn: Connection, made: Transition) -> None:
    """Adds a move to the history."""
    await conn.execute(
        """INSERT INTO transitions (id, asset_id, from_state, to_state, reason, actor, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        made.id,
        made.asset_id,
        made.from_state,
        made.to_state,
        made.reason,
        made.actor,
        made.at,
    )


async def select_transitions(conn: Connection, asset_id: str, after: str | None, limit: int) -> list[Transition]:
    """An asset's moves behind the id ``after``, oldest first."""
    rows = await conn.fetch(
        "SELECT * FROM transitions WHERE asset_id = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3",
        asset_id,
        after,
        limit,
    )
    return [Transition.model_validate(dict(row)) for row in rows]
