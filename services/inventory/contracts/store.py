"""SQL of contracts and of the alerts about their ends."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date

import asyncpg

from services.inventory.contracts.domain import Contract
from services.inventory.contracts.terms import OpenAlert, Stage
from shared.database import Connection, found
from shared.errors import Conflict, NotFound, Stale
from shared.events import GROUP
from shared.events.inventory import ContractKind

COLUMNS = (
    *("id", "site_id", "kind", "vendor_id", "number", "starts", "ends", "review_on", "notice_days", "escalation"),
    *("contact", "document_id", "renewed_by", "let_lapse", "version"),
)
_PLACES = ", ".join(f"${place}" for place in range(1, len(COLUMNS) + 1))
_INSERT = f"INSERT INTO contracts ({', '.join(COLUMNS)}) VALUES ({_PLACES})"  # noqa: S608 -- the names are ours
_UPDATE = f"""UPDATE contracts SET ({", ".join(COLUMNS)}) = ROW({_PLACES})
              WHERE id = $1 AND version = ${len(COLUMNS)} - 1"""  # noqa: S608 -- the names are ours
_SELECT = """SELECT c.*, ARRAY(SELECT ca.asset_id FROM contract_assets ca JOIN assets a ON a.id = ca.asset_id
                               WHERE ca.contract_id = c.id AND ($1::text[] IS NULL OR a.site_id = ANY($1))
                               ORDER BY ca.asset_id) AS asset_ids
             FROM contracts c """


@dataclass(frozen=True)
class Selection:
    """Which contracts a list shows. ``visible`` are the caller's sites; None stands for all."""

    visible: Collection[str] | None = None
    site_id: str | None = None
    kind: ContractKind | None = None
    vendor_id: str | None = None
    asset_id: str | None = None
    ends_before: date | None = None


async def insert_contract(conn: Connection, contract: Contract) -> None:
    """Adds a contract with what it covers. Raises NotFound without its vendor, Conflict where its number is taken."""
    async with _own_errors(contract):
        await conn.execute(_INSERT, *_values(contract))
    await _insert_assets(conn, contract)


async def update_contract(conn: Connection, contract: Contract) -> None:
    """Replaces a contract by its next version. Raises Stale where another change came first, else as insert."""
    async with _own_errors(contract):
        done = await conn.execute(_UPDATE, *_values(contract))
    if done == "UPDATE 0":
        raise Stale(f"contract {contract.id} was changed by somebody else; get it again")
    await conn.execute("DELETE FROM contract_assets WHERE contract_id = $1", contract.id)
    await _insert_assets(conn, contract)


async def _insert_assets(conn: Connection, contract: Contract) -> None:
    await conn.execute(
        "INSERT INTO contract_assets (contract_id, asset_id) SELECT $1, unnest($2::text[])",
        contract.id,
        contract.asset_ids,
    )


async def select_sites_of(conn: Connection, asset_ids: Collection[str]) -> Mapping[str, str]:
    """The sites of those of these assets that there are."""
    rows = await conn.fetch("SELECT id, site_id FROM assets WHERE id = ANY($1)", list(asset_ids))
    return {row["id"]: row["site_id"] for row in rows}


async def select_time_zone(conn: Connection, site_id: str) -> str:
    """The zone by whose calendar a site's contracts end; the group's is UTC. Raises NotFound without such a site."""
    if site_id == GROUP:
        return "UTC"
    row = await conn.fetchrow("SELECT time_zone FROM sites WHERE id = $1", site_id)
    return str(found(row, f"site {site_id}")["time_zone"])


async def select_contract(conn: Connection, contract_id: str, visible: Collection[str] | None = None) -> Contract:
    """One contract, with those of its assets that lie at ``visible`` sites. Raises NotFound."""
    row = await conn.fetchrow(f"{_SELECT} WHERE c.id = $2", _listed(visible), contract_id)
    return _contract(found(row, f"contract {contract_id}"))


async def lock_contract(conn: Connection, contract_id: str) -> Contract:
    """One contract, which nobody else changes or settles until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow(f"{_SELECT} WHERE c.id = $2 FOR UPDATE OF c", None, contract_id)
    return _contract(found(row, f"contract {contract_id}"))


async def lock_next_unsettled(conn: Connection, latest_day: date, after: str) -> Contract | None:
    """The next contract by id of which a stage may have begun that nobody has told, and nobody else works on."""
    row = await conn.fetchrow(
        f"""{_SELECT}
            WHERE NOT c.let_lapse AND c.renewed_by IS NULL AND coalesce(c.ends, c.review_on) - c.notice_days <= $2
              AND c.id > $3
              AND NOT EXISTS (SELECT FROM contract_alerts t WHERE t.contract_id = c.id AND t.stage = 'ended')
              AND (coalesce(c.ends, c.review_on) <= $2
                   OR NOT EXISTS (SELECT FROM contract_alerts t WHERE t.contract_id = c.id))
            ORDER BY c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED""",  # noqa: S608 -- our own text
        None,
        latest_day,
        after,
    )
    return _contract(row) if row else None


async def select_contracts(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[Contract]:
    """Contracts of the visible sites and of the group, by id behind ``after``."""
    rows = await conn.fetch(
        f"""{_SELECT}
            WHERE ($1::text[] IS NULL OR c.site_id = ANY($1) OR c.site_id = '{GROUP}')
              AND ($2::text IS NULL OR c.site_id = $2) AND ($3::text IS NULL OR c.kind = $3)
              AND ($4::text IS NULL OR c.vendor_id = $4)
              AND ($5::text IS NULL OR EXISTS (
                       SELECT FROM contract_assets o JOIN assets a ON a.id = o.asset_id
                       WHERE o.contract_id = c.id AND o.asset_id = $5 AND ($1 IS NULL OR a.site_id = ANY($1))))
              AND ($6::date IS NULL OR c.ends < $6) AND ($7::text IS NULL OR c.id > $7)
            ORDER BY c.id LIMIT $8""",
        _listed(chosen.visible),
        chosen.site_id,
        chosen.kind,
        chosen.vendor_id,
        chosen.asset_id,
        chosen.ends_before,
        after,
        limit,
    )
    return [_contract(row) for row in rows]


async def select_contracts_of(conn: Connection, asset_id: str) -> Mapping[str, tuple[Contract, str]]:
    """The contracts that cover an asset or the system it belongs to, by id, each with the name of its vendor."""
    rows = await conn.fetch(
        f"""SELECT c.*, v.name AS vendor_name FROM ({_SELECT}) c JOIN vendors v ON v.id = c.vendor_id
            WHERE c.id IN (SELECT o.contract_id FROM assets a
                           JOIN contract_assets o ON o.asset_id IN (a.id, a.system_id) WHERE a.id = $2)
            ORDER BY c.id""",  # noqa: S608 -- our own text
        None,
        asset_id,
    )
    return {row["id"]: (_contract(row), row["vendor_name"]) for row in rows}


async def select_alerts(conn: Connection, contract_id: str) -> list[OpenAlert]:
    """The alerts about a contract that are not resolved."""
    rows = await conn.fetch("SELECT * FROM contract_alerts WHERE contract_id = $1 ORDER BY raised_at", contract_id)
    return [OpenAlert(**{name: row[name] for name in OpenAlert.__dataclass_fields__}) for row in rows]


async def insert_alert(conn: Connection, contract_id: str, alert: OpenAlert) -> None:
    """Remembers that an alert was raised; there is one a stage."""
    await conn.execute(
        """INSERT INTO contract_alerts (contract_id, stage, term, alert_id, asset_name, raised_at)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        contract_id,
        alert.stage,
        alert.term,
        alert.alert_id,
        alert.asset_name,
        alert.raised_at,
    )


async def delete_alerts(conn: Connection, contract_id: str, stages: Collection[Stage]) -> None:
    """Forgets alerts that were resolved."""
    await conn.execute(
        "DELETE FROM contract_alerts WHERE contract_id = $1 AND stage = ANY($2)", contract_id, list(stages)
    )


def _listed(visible: Collection[str] | None) -> list[str] | None:
    return None if visible is None else list(visible)


def _values(contract: Contract) -> list[object]:
    as_json = contract.model_dump(mode="json", include={"escalation", "contact"})
    return [as_json[name] if name in as_json else getattr(contract, name) for name in COLUMNS]


def _contract(row: asyncpg.Record) -> Contract:
    return Contract.model_validate(dict(row))


@asynccontextmanager
async def _own_errors(contract: Contract) -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as exc:
        taken = f"{contract.site_id} has a contract {contract.number} of that kind with that vendor already"
        raise Conflict(taken) from exc
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(f"no vendor {contract.vendor_id}") from exc
