"""SQL of alerts and their transitions, of where each check stands, and of when each probe was heard last."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime

import asyncpg

from services.probes.alerts.domain import OK, AlertState
from services.probes.alerts.records import About, Alert, Standing, Transition, Watched
from services.probes.alerts.upstream import MUTE, NO_ANSWER, Reach, Reaching
from services.probes.baselines.domain import Key
from services.probes.kinds import NATURES, nature_of
from shared.database import Connection, found
from shared.events.alerts import AlertPhase
from shared.listing import fetch_page

STATE = ", ".join(field.name for field in fields(AlertState))
ALERT = ", ".join(f'"{name}"' for name in Alert.model_fields)
TRANSITION = ", ".join(f'"{name}"' for name in Transition.model_fields)
PLACEHOLDERS_OF_ALERT = ", ".join(f"${number}" for number in range(1, len(Alert.model_fields) + 1))
PLACEHOLDERS_OF_TRANSITION = ", ".join(f"${number}" for number in range(1, len(Transition.model_fields) + 1))

STANDINGS = """(SELECT *, is_held AS held_by_window,
                       probe_id || CASE measure WHEN '' THEN '' ELSE '#' || measure END AS id
                FROM alert_states WHERE phase <> 'ok') AS standings"""


async def select_states(conn: Connection, probe_ids: Collection[str]) -> dict[Key, AlertState]:
    """Where the checks of these probes stand that don't stand at "ok"."""
    rows = await conn.fetch(
        f"SELECT probe_id, measure, {STATE} FROM alert_states WHERE probe_id = ANY($1)",  # noqa: S608 -- a constant
        list(probe_ids),
    )
    return {(row["probe_id"], row["measure"]): _state(row) for row in rows}


async def select_reaching(conn: Connection, assets: Collection[str]) -> dict[str, dict[str, Reaching]]:
    """By asset and probe, where its probes stand that ask whether it can be reached."""
    columns = ", ".join(f"state.{field.name}" for field in fields(AlertState))
    rows = await conn.fetch(
        f"""SELECT probes.subject, probes.id, probes.kind, probes.reachability, {columns}
            FROM probes LEFT JOIN alert_states AS state ON state.probe_id = probes.id AND state.measure = ''
            WHERE probes.subject = ANY($1)
              AND coalesce(probes.reachability, probes.kind = ANY($2))""",  # noqa: S608 -- names of our own columns
        list(assets),
        [name for name, nature in NATURES.items() if nature.asks_for_reach],
    )
    found: dict[str, dict[str, Reaching]] = {}
    for row in rows:
        state = _state(row) if row["phase"] else OK
        reaching = Reaching(state, nature_of(row["kind"]).is_connectionless, row["reachability"] is True)
        found.setdefault(row["subject"], {})[row["id"]] = reaching
    return found


async def select_names(conn: Connection, assets: Collection[str]) -> dict[str, str]:
    """The names of these assets, as far as they are known."""
    rows = await conn.fetch("SELECT id, name FROM assets WHERE id = ANY($1)", list(assets))
    return {row["id"]: row["name"] for row in rows}


async def upsert_states(conn: Connection, stand: Mapping[Key, tuple[About, AlertState]]) -> None:
    """Keeps where checks stand."""
    names = [field.name for field in fields(AlertState)]
    columns = ["probe_id", "measure", "subject", "site_id", '"check"', *names]
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns[2:])
    rows = [
        (*key, about.subject, about.site_id, about.check, *(getattr(state, name) for name in names))
        for key, (about, state) in stand.items()
    ]
    await conn.execute(
        f"""INSERT INTO alert_states ({", ".join(columns)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[],
                $8::integer[], $9::integer[], $10::timestamptz[], $11::text[], $12::text[], $13::text[],
                $14::boolean[], $15::text[], $16::boolean[], $17::integer[], $18::timestamptz[])
            ON CONFLICT (probe_id, measure) DO UPDATE SET {updates}""",  # noqa: S608 -- names of our own columns
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def delete_states(conn: Connection, keys: Iterable[Key]) -> None:
    """Makes checks stand at "ok"."""
    probe_ids, measures = zip(*keys, strict=True)
    await conn.execute(
        """DELETE FROM alert_states USING unnest($1::text[], $2::text[]) AS gone (probe_id, measure)
           WHERE alert_states.probe_id = gone.probe_id AND alert_states.measure = gone.measure""",
        list(probe_ids),
        list(measures),
    )


async def delete_probe(conn: Connection, probe_id: str) -> None:
    """Forgets where a probe's checks stand and when it was heard."""
    for table in ("alert_states", "heard"):
        await conn.execute(f"DELETE FROM {table} WHERE probe_id = $1", probe_id)  # noqa: S608 -- constants


async def insert_alerts(conn: Connection, alerts: Sequence[Alert]) -> None:
    """Keeps alerts that were raised."""
    await conn.executemany(
        f"INSERT INTO alerts ({ALERT}) VALUES ({PLACEHOLDERS_OF_ALERT})",  # noqa: S608 -- names of our own columns
        [tuple(alert.model_dump().values()) for alert in alerts],
    )


async def resolve_alerts(conn: Connection, resolutions: Mapping[str, str], now: datetime) -> list[Alert]:
    """Resolves alerts, each with its words, and returns those that were open. An acknowledgement ends with them."""
    rows = await conn.fetch(
        """UPDATE alerts SET resolved_at = $3, resolution = gone.resolution, acknowledged_by = NULL,
                  acknowledged_at = NULL, acknowledged_until = NULL, acknowledgement = NULL
           FROM unnest($1::text[], $2::text[]) AS gone (id, resolution)
           WHERE alerts.id = gone.id AND resolved_at IS NULL RETURNING alerts.*""",
        list(resolutions),
        list(resolutions.values()),
        now,
    )
    return [_alert(row) for row in rows]


async def update_alerts(conn: Connection, states: Iterable[AlertState]) -> None:
    """Keeps how bad open alerts are now, and whether they flap."""
    rows = [(state.alert_id, state.severity, state.phase == "flapping") for state in states]
    await conn.executemany("UPDATE alerts SET severity = $2, flapping = $3 WHERE id = $1", rows)


async def insert_transitions(conn: Connection, transitions: Sequence[Transition]) -> None:
    """Keeps transitions."""
    await conn.executemany(
        f"INSERT INTO alert_transitions ({TRANSITION}) VALUES ({PLACEHOLDERS_OF_TRANSITION})",  # noqa: S608 -- our own
        [tuple(transition.model_dump().values()) for transition in transitions],
    )


async def select_alert(conn: Connection, alert_id: str) -> Alert:
    """The alert of that id. Raises NotFound."""
    return _alert(found(await conn.fetchrow("SELECT * FROM alerts WHERE id = $1", alert_id), f"alert {alert_id}"))


async def acknowledge(
    conn: Connection, alert_id: str, by: str, comment: str, until: datetime | None, now: datetime
) -> Alert | None:
    """Keeps who has taken the alert over; None when it is resolved."""
    row = await conn.fetchrow(
        """UPDATE alerts SET acknowledged_by = $2, acknowledgement = $3, acknowledged_until = $4, acknowledged_at = $5
           WHERE id = $1 AND resolved_at IS NULL RETURNING *""",
        alert_id,
        by,
        comment,
        until,
        now,
    )
    return _alert(row) if row else None


async def end_acknowledgements(conn: Connection, now: datetime) -> list[Alert]:
    """Takes away the acknowledgements whose end has come, and returns their alerts."""
    rows = await conn.fetch(
        """UPDATE alerts SET acknowledged_by = NULL, acknowledged_at = NULL, acknowledged_until = NULL,
                  acknowledgement = NULL
           WHERE acknowledged_until <= $1 AND resolved_at IS NULL RETURNING *""",
        now,
    )
    return [_alert(row) for row in rows]


async def select_alerts(
    conn: Connection,
    visible: Collection[str] | None,
    subject: str | None,
    is_open: bool | None,
    before: str | None,
    limit: int,
) -> list[Alert]:
    """Alerts, the latest first, behind ``before``; ``visible`` None stands for all sites."""
    wanted = {"subject": subject, "resolved_at IS NULL": is_open}
    rows = await fetch_page(conn, "alerts", visible, wanted, before, limit, latest_first=True)
    return [_alert(row) for row in rows]


async def select_transitions(
    conn: Connection,
    visible: Collection[str] | None,
    subject: str | None,
    alert_id: str | None,
    before: str | None,
    limit: int,
) -> list[Transition]:
    """Transitions, the latest first, behind ``before``; ``visible`` None stands for all sites."""
    wanted = {"subject": subject, "alert_id": alert_id}
    rows = await fetch_page(conn, "alert_transitions", visible, wanted, before, limit, latest_first=True)
    return [Transition.model_validate(dict(row)) for row in rows]


async def select_standings(
    conn: Connection,
    visible: Collection[str] | None,
    subject: str | None,
    phase: AlertPhase | None,
    after: str | None,
    limit: int,
) -> list[Standing]:
    """Where checks stand that don't stand at "ok", by id behind ``after``; ``visible`` None stands for all sites."""
    rows = await fetch_page(conn, STANDINGS, visible, {"subject": subject, "phase": phase}, after, limit)
    return [Standing.model_validate(dict(row)) for row in rows]


async def delete_before(conn: Connection, instant: datetime) -> None:
    """Forgets transitions and resolved alerts that are older; their events stay in the audit log."""
    await conn.execute("DELETE FROM alert_transitions WHERE at < $1", instant)
    await conn.execute("DELETE FROM alerts WHERE resolved_at < $1", instant)


async def select_vantages(conn: Connection) -> list[tuple[str, str, AlertState]]:
    """The vantages of which an alert is open: name, site, where each stands."""
    rows = await conn.fetch(
        f"SELECT probe_id, site_id, {STATE} FROM alert_states WHERE probe_id LIKE 'vantage:%'"  # noqa: S608 -- a constant
    )
    return [(row["probe_id"].removeprefix("vantage:"), row["site_id"], _state(row)) for row in rows]


async def lock_vantage(conn: Connection, vantage: str) -> None:
    """Waits for every other transaction that raises the alert of that vantage."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('probes vantage ' || $1, 0))", vantage)


async def try_lock_watch(conn: Connection) -> bool:
    """Whether this transaction is the one that watches now."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended('probes watch', 0))"))


async def upsert_heard(conn: Connection, heard: Mapping[str, str]) -> None:
    """Remembers that these probes were heard now, each from its vantage."""
    await conn.execute(
        """INSERT INTO heard (probe_id, heard_at, heard_from)
           SELECT id, clock_timestamp(), vantage FROM unnest($1::text[], $2::text[]) AS it (id, vantage)
           ON CONFLICT (probe_id) DO UPDATE SET heard_at = excluded.heard_at, heard_from = excluded.heard_from""",
        list(heard),
        list(heard.values()),
    )


async def insert_unheard(conn: Connection) -> None:
    """Lets the time of probes begin that were never heard."""
    await conn.execute(
        """INSERT INTO heard (probe_id, heard_at) SELECT id, now() FROM probes
           WHERE NOT EXISTS (SELECT FROM heard WHERE heard.probe_id = probes.id) ON CONFLICT DO NOTHING"""
    )


async def select_reach(conn: Connection, vantage: str, since: datetime | None, without: Collection[str]) -> Reach:
    """How many addresses the vantage asked since then, or in each probe's last interval, and how many don't answer.

    Leaves out the probes ``without``.
    """
    row = await conn.fetchrow(
        """SELECT count(*) AS asked, count(*) FILTER (WHERE is_mute) AS mute FROM (
               SELECT bool_and(coalesce(state.phase <> 'ok' AND (
                          state.failure = ANY($4) OR (state.failure = $5 AND probes.kind = ANY($6))), false)) AS is_mute
               FROM heard JOIN probes ON probes.id = heard.probe_id
               LEFT JOIN alert_states AS state ON state.probe_id = probes.id AND state.measure = ''
               WHERE heard_from = $1 AND heard_at >= coalesce($2, now() - interval) AND probes.id <> ALL($3)
               GROUP BY coalesce(probes.settings ->> 'host', probes.subject)) AS addresses""",
        vantage,
        since,
        list(without),
        list(NO_ANSWER),
        MUTE,
        [name for name, nature in NATURES.items() if nature.is_connectionless],
    )
    return Reach(row["asked"], row["mute"]) if row else Reach(0, 0)


async def lock_lost(conn: Connection, watching_since: datetime, intervals: int, limit: int) -> list[Watched]:
    """Probes that were not heard for so many intervals and are not known to be lost; none that is locked."""
    rows = await conn.fetch(
        """SELECT probes.*, '' AS measure, NULL AS suppressed_by FROM probes JOIN heard ON heard.probe_id = probes.id
           WHERE greatest(heard_at, $1) < now() - $2 * interval AND NOT EXISTS (
               SELECT FROM alert_states WHERE probe_id = probes.id AND measure = '' AND phase = 'unknown')
           ORDER BY id LIMIT $3 FOR UPDATE OF probes SKIP LOCKED""",
        watching_since,
        intervals,
        limit,
    )
    return [_watched(row) for row in rows]


async def is_silent(conn: Connection, vantage: str) -> bool:
    """Whether an agent has probes, and all of them are unknown."""
    return bool(
        await conn.fetchval(
            """SELECT bool_and(coalesce(phase = 'unknown', false)) FROM probes
               LEFT JOIN alert_states ON probe_id = probes.id AND measure = '' WHERE vantage = $1""",
            vantage,
        )
    )


async def select_sites_of_vantage(conn: Connection, vantage: str) -> list[str]:
    """The sites whose targets the vantage asks."""
    rows = await conn.fetch(
        """SELECT DISTINCT site_id FROM probes LEFT JOIN heard ON probe_id = id
           WHERE heard_from = $1 OR vantage = $1 ORDER BY site_id""",
        vantage,
    )
    return [row["site_id"] for row in rows]


async def select_kept_back(conn: Connection) -> list[Watched]:
    """The checks whose alerts something keeps back."""
    rows = await conn.fetch(
        """SELECT probes.*, measure, suppressed_by FROM alert_states JOIN probes ON probes.id = probe_id
           WHERE phase = 'pending' AND NOT is_asked AND (is_held OR suppressed_by IS NOT NULL) ORDER BY id, measure"""
    )
    return [_watched(row) for row in rows]


async def lock_probes(conn: Connection, probe_ids: Collection[str]) -> list[str]:
    """Locks these probes, but for those that are locked already, and returns them."""
    rows = await conn.fetch(
        "SELECT id FROM probes WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED", list(probe_ids)
    )
    return [row["id"] for row in rows]


async def select_now(conn: Connection) -> datetime:
    """The database's time."""
    now: datetime = await conn.fetchval("SELECT now()")
    return now


def _watched(row: asyncpg.Record) -> Watched:
    name = row["check_name"] or row["kind"]
    about = About(
        probe_id=row["id"],
        measure=row["measure"],
        check=f"{name}:{row['measure']}" if row["measure"] else name,
        subject=row["subject"],
        asset_name=row["name"],
        site_id=row["site_id"],
        system_id=row["system_id"],
    )
    return Watched(about, row["vantage"], tuple(row["depends_on"]), row["suppressed_by"])


def _state(row: asyncpg.Record) -> AlertState:
    return AlertState(**{field.name: row[field.name] for field in fields(AlertState)})


def _alert(row: asyncpg.Record) -> Alert:
    return Alert.model_validate(dict(row))
