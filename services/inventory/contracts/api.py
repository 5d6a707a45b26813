"""Contracts over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict

from services.inventory.assets.handlers import find_system
from services.inventory.contracts import handlers, store
from services.inventory.contracts.domain import EXAMPLE, Contract, ContractDetails, SystemSupport
from services.inventory.contracts.store import Selection
from shared.events import GROUP, SiteId
from shared.events.inventory import ContractKind
from shared.grants import Role
from shared.http import Call, IfMatch, Page, Paging, requires
from shared.resource import Day, Id

router = APIRouter(prefix="/v1", tags=["contracts"])


class RegisterContract(ContractDetails):
    """A contract of a site, or with the site ``group`` one of the whole group."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"site_id": "north", **EXAMPLE}]})

    site_id: SiteId


@router.post("/contracts", status_code=201)
async def register_contract(body: RegisterContract, call: Annotated[Call, requires("site-admin")]) -> Contract:
    """Registers a contract; one of the group is for a group-admin to register."""
    if body.site_id == GROUP:
        call.caller.require_everywhere("group-admin")
    call.caller.require("site-admin", body.site_id)
    return await call.run(handlers.register_contract, body.site_id, body)


@router.get("/contracts")
async def list_contracts(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    kind: ContractKind | None = None,
    vendor_id: Id | None = None,
    asset_id: Id | None = None,
    ends_before: Day | None = None,
) -> Page[Contract]:
    """The contracts of your sites and of the group."""
    chosen = Selection(call.caller.sites("viewer"), site_id, kind, vendor_id, asset_id, ends_before)
    async with call.read() as conn:
        found = await store.select_contracts(conn, chosen, paging.after, paging.limit + 1)
    return paging.page(found, lambda contract: contract.id)


@router.get("/contracts/{contract_id}")
async def get_contract(contract_id: Id, call: Annotated[Call, requires("viewer")]) -> Contract:
    """The contract, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await _find(call, "viewer", contract_id))


@router.put("/contracts/{contract_id}")
async def change_contract(
    contract_id: Id, body: ContractDetails, call: Annotated[Call, requires("site-admin")], version: IfMatch
) -> Contract:
    """Changes a contract. A later end, a contract that renews it, or the word that it may lapse resolve its alerts."""
    await _find(call, "site-admin", contract_id)
    return await call.run(handlers.change_contract, contract_id, version, body)


@router.get("/systems/{system_id}/support")
async def get_support(system_id: Id, call: Annotated[Call, requires("viewer")]) -> SystemSupport:
    """Whom to call for a system: the vendor's contacts in the order of escalation, by the contracts that cover it."""
    system = await call.find("viewer", "system", find_system, system_id)
    async with call.read() as conn:
        return await handlers.find_support(conn, system.id, system.site_id, datetime.now(UTC))


async def _find(call: Call, role: Role, contract_id: str) -> Contract:
    async with call.read() as conn:
        contract = await store.select_contract(conn, contract_id, call.caller.sites("viewer"))
    if contract.site_id != GROUP:
        call.caller.require(role, contract.site_id, f"contract {contract_id}")
    elif role != "viewer":
        call.caller.require_everywhere("group-admin")
    return contract
