"""SQL of the lifecycle."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from services.inventory.lifecycle.domain import Decision, Transition
from shared.database import Connection
from shared.events.inventory import LifecycleState


@dataclass(frozen=True, slots=True)
class Part:
    """A node or component that belongs to an asset. Nodes have a role, components a type."""

    id: str
    kind: str
    name: str
    state: LifecycleState
    role: str | None
    type: str | None
    serial: str | None
    media_type: str | None


async def insert_decision(conn: Connection, made: Decision) -> None:
    """Keeps how an attempt was judged."""
    await conn.execute(
        """INSERT INTO decisions (id, asset_id, from_state, to_state, allowed, policy_version, met, missing, reason,
                                  actor, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
        made.id,
        made.asset_id,
        made.from_state,
        made.to_state,
        made.allowed,
        made.policy_version,
        [one.model_dump() for one in made.met],
        [one.model_dump() for one in made.missing],
        made.reason,
        made.actor,
        made.at,
    )


async def insert_transition(conn: Connection, made: Transition) -> None:
    """Adds a move to the history."""
    await conn.execute(
        """INSERT INTO transitions (id, asset_id, from_state, to_state, reason, actor, at, decision_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        made.id,
        made.asset_id,
        made.from_state,
        made.to_state,
        made.reason,
        made.actor,
        made.at,
        made.decision_id,
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


async def select_decisions(conn: Connection, asset_id: str, after: str | None, limit: int) -> list[Decision]:
    """How the attempts to move an asset were judged, behind the id ``after``, oldest first."""
    rows = await conn.fetch(
        "SELECT * FROM decisions WHERE asset_id = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3",
        asset_id,
        after,
        limit,
    )
    return [Decision.model_validate(dict(row)) for row in rows]


async def select_last_move(conn: Connection, asset_id: str) -> datetime | None:
    """When an asset came into its state; None when it has never moved."""
    at: datetime | None = await conn.fetchval(
        "SELECT at FROM transitions WHERE asset_id = $1 ORDER BY id DESC LIMIT 1", asset_id
    )
    return at


async def has_been_proposed(conn: Connection, asset_id: str) -> bool:
    """Whether an asset's moves began with the first one of all."""
    begun: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM transitions WHERE asset_id = $1 AND from_state = 'proposed')", asset_id
    )
    return begun


async def select_parts(conn: Connection, asset_id: str) -> list[Part]:
    """All that belongs to an asset: nodes and components of a system, and what is installed in a component of them."""
    rows = await conn.fetch(
        """WITH RECURSIVE parts AS (
               SELECT id FROM assets WHERE system_id = $1
               UNION SELECT asset_id FROM components WHERE installed_in = $1
               UNION SELECT c.asset_id FROM components c JOIN parts p ON c.installed_in = p.id)
           SELECT a.id, a.kind, a.name, a.state, a.role, c.type, c.serial, c.media_type
           FROM parts p JOIN assets a ON a.id = p.id LEFT JOIN components c ON c.asset_id = a.id
           WHERE a.id <> $1 ORDER BY a.name, a.id""",
        asset_id,
    )
    return [Part(**row) for row in rows]


async def insert_media_at_isolation(conn: Connection, system_id: str, media: Collection[str]) -> None:
    """Keeps what kept data in a system when it was isolated."""
    await conn.execute(
        "INSERT INTO media_at_isolation (system_id, medium_id) SELECT $1, unnest($2::text[])", system_id, list(media)
    )


async def select_media_at_isolation(conn: Connection, system_id: str) -> list[Part]:
    """What kept data in a system when it was isolated, as it stands now, wherever it is."""
    rows = await conn.fetch(
        """SELECT a.id, a.kind, a.name, a.state, a.role, c.type, c.serial, c.media_type
           FROM media_at_isolation m JOIN assets a ON a.id = m.medium_id LEFT JOIN components c ON c.asset_id = a.id
           WHERE m.system_id = $1""",
        system_id,
    )
    return [Part(**row) for row in rows]


async def select_mirrors(conn: Connection, system_id: str) -> list[tuple[str, LifecycleState]]:
    """The names and states of the systems that mirror a system."""
    rows = await conn.fetch("SELECT name, state FROM assets WHERE mirrors = $1", system_id)
    return [(row["name"], row["state"]) for row in rows]


async def is_in_no_dossier(conn: Connection, component_id: str) -> bool:
    """Whether a component belongs to no system, nor does what it is built into, and no sealed dossier tells of it as
    what a system has left behind."""
    alone: bool = await conn.fetchval(
        """WITH RECURSIVE holders AS (
               SELECT $1::text AS id
               UNION SELECT c.installed_in FROM holders h JOIN components c ON c.asset_id = h.id)
           SELECT NOT EXISTS (SELECT FROM holders h JOIN assets a ON a.id = h.id WHERE a.system_id IS NOT NULL)
              AND NOT EXISTS (SELECT FROM media_at_isolation m JOIN dossiers d ON d.asset_id = m.system_id
                              WHERE m.medium_id = $1)""",
        component_id,
    )
    return alone


async def site_has(conn: Connection, site_id: str, role: str) -> bool:
    """Whether somebody at the site, who is active, has the role."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM people WHERE site_id = $1 AND active AND $2 = ANY(roles))", site_id, role
    )
    return found
