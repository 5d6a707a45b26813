"""Commands on contracts, what tells of their ends, and what the other capabilities ask of them."""

from datetime import UTC, datetime, timedelta

from services.inventory.contracts import store
from services.inventory.contracts.domain import (
    Contract,
    ContractDetails,
    SystemSupport,
    check_renewal,
    draft_contract,
    full_state,
    kept_state,
    support_for,
    title_of,
)
from services.inventory.contracts.terms import (
    CHECK,
    OpenAlert,
    Stage,
    first_day_of,
    first_instant,
    local_day,
    resolution_of,
    settle,
    summary_of,
)
from services.inventory.documents.handlers import find_document
from services.inventory.history.handlers import keep
from services.inventory.vendors.handlers import find_vendor
from shared.database import Connection
from shared.errors import NotFound
from shared.events import GROUP
from shared.events.alerts import AlertRaised, AlertResolved
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def register_contract(
    tx: Transaction, site_id: str, details: ContractDetails, as_id: str | None = None
) -> Contract:
    """Adds a contract of a site, or of the group; where its end is near already, the alert is raised at once.

    It has the id that it had elsewhere, if one is given. Raises Malformed, NotFound for a site, vendor, asset or
    document that is not there, Conflict for a taken number.
    """
    contract = draft_contract(as_id or new_id(), site_id, details, 1)
    await _check_references(tx, contract)
    await store.insert_contract(tx.conn, contract)
    await _record(tx, None, contract)
    await _settle(tx, contract)
    return contract


async def change_contract(
    tx: Transaction, contract_id: str, expected_version: int, details: ContractDetails
) -> Contract:
    """Replaces all about a contract but its site; what is renewed resolves its alerts. Raises as registering, Stale."""
    old = await store.lock_contract(tx.conn, contract_id)
    check_version(f"contract {contract_id}", old, expected_version)
    contract = draft_contract(contract_id, old.site_id, details, old.version + 1)
    await _check_references(tx, contract)
    await store.update_contract(tx.conn, contract)
    await _record(tx, old, contract)
    await _settle(tx, contract)
    return contract


async def settle_next_contract(tx: Transaction, after: str) -> str | None:
    """Tells what the next contract by id has come to; its id, or None when no other one is left to look at.

    It may tell nothing: a day begins at its site only hours after it has begun elsewhere.
    """
    latest_day = tx.now.astimezone(UTC).date() + timedelta(days=1)
    contract = await store.lock_next_unsettled(tx.conn, latest_day, after)
    if contract is None:
        return None
    await _settle(tx, contract)
    return contract.id


async def contracts_of(conn: Connection, asset_id: str) -> list[Contract]:
    """All contracts that cover an asset, or the system it belongs to, with their escalation paths; also ended ones."""
    return [contract for contract, _ in (await store.select_contracts_of(conn, asset_id)).values()]


async def find_support(conn: Connection, system_id: str, site_id: str, now: datetime) -> SystemSupport:
    """Whom to call for a system today."""
    today = local_day(now, await store.select_time_zone(conn, site_id))
    return support_for(system_id, site_id, await store.select_contracts_of(conn, system_id), today)


async def _check_references(tx: Transaction, contract: Contract) -> None:
    await store.select_time_zone(tx.conn, contract.site_id)
    await find_vendor(tx.conn, contract.vendor_id)
    sites = await store.select_sites_of(tx.conn, contract.asset_ids)
    for asset_id in contract.asset_ids:
        if asset_id not in sites or contract.site_id not in (GROUP, sites[asset_id]):
            raise NotFound(f"no asset {asset_id}")
    if contract.document_id is not None:
        document = await find_document(tx.conn, contract.document_id)
        if document.site_id not in (contract.site_id, GROUP):
            raise NotFound(f"no document {document.id}")
    if contract.renewed_by is not None:
        successor = await store.select_contract(tx.conn, contract.renewed_by)
        if successor.site_id != contract.site_id:
            raise NotFound(f"no contract {successor.id}")
        check_renewal(contract, successor)


async def _settle(tx: Transaction, contract: Contract) -> None:
    time_zone = await store.select_time_zone(tx.conn, contract.site_id)
    alerts = await store.select_alerts(tx.conn, contract.id)
    settlement = settle(contract, alerts, local_day(tx.now, time_zone))
    title = title_of(contract, (await find_vendor(tx.conn, contract.vendor_id)).name)
    by_itself = tx.acting_as(f"service:{tx.service}")
    if settlement.over:
        await store.delete_alerts(tx.conn, contract.id, [alert.stage for alert in settlement.over])
        for alert in settlement.over:
            _record_resolved(by_itself, contract, alert, resolution_of(contract, title))
    if settlement.due is not None:
        await _raise(by_itself, contract, settlement.due, title, time_zone)


async def _raise(tx: Transaction, contract: Contract, stage: Stage, title: str, time_zone: str) -> None:
    alert = OpenAlert(stage, contract.term, new_id(), title, tx.now)
    await store.insert_alert(tx.conn, contract.id, alert)
    raised = AlertRaised(
        alert_id=alert.alert_id,
        check=CHECK,
        asset_name=title,
        severity="warning" if stage == "ending" else "critical",
        summary=summary_of(stage, contract, title),
        since=first_instant(first_day_of(stage, contract), time_zone),
    )
    tx.record(raised, subject=contract.id, site_id=contract.site_id)


def _record_resolved(tx: Transaction, contract: Contract, alert: OpenAlert, summary: str) -> None:
    resolved = AlertResolved(
        alert_id=alert.alert_id,
        check=CHECK,
        asset_name=alert.asset_name,
        summary=summary,
        raised_at=alert.raised_at,
        resolved_at=tx.now,
    )
    tx.record(resolved, subject=contract.id, site_id=contract.site_id)


async def _record(tx: Transaction, old: Contract | None, contract: Contract) -> None:
    tx.record(full_state(contract), subject=contract.id, site_id=contract.site_id)
    await keep(tx, "contract", old and kept_state(old), kept_state(contract))
