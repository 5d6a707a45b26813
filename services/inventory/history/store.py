"""SQL of history."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.inventory.history.domain import Kept, Revision, Standing, Touched, only
from shared.database import Connection
from shared.events import GROUP
from shared.transactions import Transaction, new_id


@dataclass(frozen=True)
class Selection:
    """Which things are looked at. ``visible`` are the caller's sites; None stands for all."""

    visible: Collection[str] | None = None
    site_id: str | None = None
    kind: str | None = None
    thing_id: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    newest_first: bool = False

    @property
    def sites(self) -> list[str] | None:
        """The sites that are visible, and what belongs to the group, which all may see."""
        return None if self.visible is None else [*self.visible, GROUP]


async def insert_revisions(tx: Transaction, kind: str, changes: Sequence[tuple[Kept | None, Kept | None]]) -> None:
    """Adds the states that things have come into."""
    said = (kind, tx.now, tx.actor, tx.reason, tx.correlation_id)
    rows = []
    for before, after in changes:
        thing = only(after, before)
        state = None if after is None else after.model_dump_json().encode()
        version = thing.version if after is not None else thing.version + 1
        rows.append((new_id(), thing.id, version, thing.site_id, state, *said))
    columns = ("id", "thing_id", "version", "site_id", "state", "kind", "at", "actor", "reason", "correlation_id")
    await tx.conn.copy_records_to_table("revisions", records=rows, columns=columns)


async def select_revisions(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[Revision]:
    """Changes by id behind ``after``, each with the state before it."""
    behind, order = ("<", "DESC") if chosen.newest_first else (">", "ASC")
    rows = await conn.fetch(
        f"""SELECT r.*, r.state AS after, b.state AS before
           FROM revisions r
           LEFT JOIN LATERAL (SELECT state FROM revisions p
                              WHERE p.kind = r.kind AND p.thing_id = r.thing_id AND p.version < r.version
                              ORDER BY p.version DESC LIMIT 1) b ON true
           WHERE ($1::text[] IS NULL OR r.site_id = ANY($1)) AND ($2::text IS NULL OR r.site_id = $2)
             AND ($3::text IS NULL OR r.kind = $3) AND ($4::text IS NULL OR r.thing_id = $4)
             AND ($5::text IS NULL OR r.actor = $5) AND ($6::timestamptz IS NULL OR r.at >= $6)
             AND ($7::timestamptz IS NULL OR r.at < $7) AND ($8::text IS NULL OR r.id {behind} $8)
           ORDER BY r.id {order} LIMIT $9""",  # noqa: S608 -- our own text
        chosen.sites,
        chosen.site_id,
        chosen.kind,
        chosen.thing_id,
        chosen.actor,
        chosen.since,
        chosen.until,
        after,
        limit,
    )
    return [Revision.model_validate(dict(row)) for row in rows]


async def select_standing(
    conn: Connection, chosen: Selection, at: datetime, after: tuple[str, str] | None, limit: int
) -> list[Standing]:
    """Things as they stood at an instant, by kind and id behind ``after``; what was taken away by then is left out."""
    rows = await conn.fetch(
        """SELECT * FROM (
               SELECT DISTINCT ON (kind, thing_id) kind, thing_id, version, site_id, at, state FROM revisions
               WHERE at <= $1 AND ($2::text[] IS NULL OR site_id = ANY($2)) AND ($3::text IS NULL OR site_id = $3)
                 AND ($4::text IS NULL OR kind = $4) AND ($5::text IS NULL OR thing_id = $5)
                 AND ($6::text IS NULL OR (kind, thing_id) > ($6, $7))
               ORDER BY kind, thing_id, version DESC) stood
           WHERE state IS NOT NULL ORDER BY kind, thing_id LIMIT $8""",
        at,
        chosen.sites,
        chosen.site_id,
        chosen.kind,
        chosen.thing_id,
        *(after or (None, None)),
        limit,
    )
    return [Standing.model_validate(dict(row)) for row in rows]


async def select_things_of_system(conn: Connection, system_id: str, site_id: str, at: datetime) -> list[Standing]:
    """A system with all that was its own at an instant, and what was installed in that but for another system."""
    rows = await conn.fetch(
        """WITH RECURSIVE
               latest AS (SELECT DISTINCT ON (kind, thing_id) kind, thing_id, version, site_id, at, state
                          FROM revisions WHERE at <= $1 AND site_id = $2 ORDER BY kind, thing_id, version DESC),
               stood AS MATERIALIZED (SELECT *, state ->> 'system_id' AS system_id,
                                             state ->> 'installed_in' AS installed_in
                                      FROM latest WHERE state IS NOT NULL),
               own AS (SELECT kind, thing_id FROM stood WHERE thing_id = $3 OR system_id = $3
                       UNION
                       SELECT s.kind, s.thing_id FROM own o JOIN stood s ON s.installed_in = o.thing_id
                       WHERE s.system_id IS NULL)
           SELECT kind, thing_id, version, site_id, at, state
           FROM stood JOIN own USING (kind, thing_id) ORDER BY kind, thing_id""",
        at,
        site_id,
        system_id,
    )
    return [Standing.model_validate(dict(row)) for row in rows]


async def select_touched(
    conn: Connection, chosen: Selection, earlier: datetime, later: datetime, after: tuple[str, str] | None, limit: int
) -> list[Touched]:
    """The things that were changed between two instants, by kind and id behind ``after``, as they stood at both."""
    rows = await conn.fetch(
        """SELECT t.kind, t.thing_id, to_jsonb(b) AS before, to_jsonb(a) AS after
           FROM (SELECT kind, thing_id FROM revisions
                 WHERE at > $1 AND at <= $2 AND ($3::text[] IS NULL OR site_id = ANY($3))
                   AND ($4::text IS NULL OR site_id = $4) AND ($5::text IS NULL OR kind = $5)
                   AND ($6::text IS NULL OR (kind, thing_id) > ($6, $7))
                 GROUP BY kind, thing_id ORDER BY kind, thing_id LIMIT $8) t
           LEFT JOIN LATERAL (SELECT * FROM revisions r WHERE r.kind = t.kind AND r.thing_id = t.thing_id AND r.at <= $1
                              ORDER BY r.version DESC LIMIT 1) b ON b.state IS NOT NULL
           LEFT JOIN LATERAL (SELECT * FROM revisions r WHERE r.kind = t.kind AND r.thing_id = t.thing_id AND r.at <= $2
                              ORDER BY r.version DESC LIMIT 1) a ON a.state IS NOT NULL
           ORDER BY t.kind, t.thing_id""",
        earlier,
        later,
        chosen.sites,
        chosen.site_id,
        chosen.kind,
        *(after or (None, None)),
        limit,
    )
    return [Touched.model_validate(dict(row)) for row in rows]
