"""Makes and changes one thing by the handlers of its kind, from the values of a row by the names of their columns."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from services.inventory.assets import handlers as assets
from services.inventory.assets.api import ChangeNode, ChangeSystem, RegisterNode, RegisterSystem
from services.inventory.contracts import handlers as contracts
from services.inventory.contracts.api import RegisterContract
from services.inventory.contracts.domain import ContractDetails
from services.inventory.exports.columns import COLUMNS, NO_FIELD
from services.inventory.fields import handlers as fields
from services.inventory.fields.api import ChangeField, DefineField
from services.inventory.fields.domain import FieldDefinition
from services.inventory.groups import handlers as groups
from services.inventory.groups.api import GroupBody
from services.inventory.imports.domain import WORDS
from services.inventory.links import handlers as links
from services.inventory.links.domain import LinkDraft
from services.inventory.people import handlers as people
from services.inventory.people.api import RegisterPerson
from services.inventory.people.domain import PersonDetails
from services.inventory.sites import handlers as sites
from services.inventory.sites.api import ChangeSite, RegisterSite
from services.inventory.usage import handlers as usage
from services.inventory.usage.api import Reading
from services.inventory.vendors import handlers as vendors
from services.inventory.vendors.domain import ProductDetails, VendorDetails, VersionDetails
from shared.errors import Malformed
from shared.grants import Caller
from shared.transactions import Transaction, new_id

Values = dict[str, Any]
SUPPORT = {"support": "state", "support_ends_on": "on", "support_source": "source", "support_stated_on": "stated_on"}


@dataclass(frozen=True)
class Making:
    """How a thing is made: in whose name, and under which id, where it had one elsewhere."""

    tx: Transaction
    caller: Caller
    as_id: str | None = None


def body_of(kind: str, values: Mapping[str, Any], left_out: Sequence[str] = ()) -> Values:
    """The values as the API takes them, by the names of their fields."""
    body: Values = {}
    for column in COLUMNS[kind]:
        path = (column.field or column.name).split(".")
        if column.name in values and column.name not in (*left_out, *SUPPORT) and column.field != NO_FIELD:
            inside = body
            for part in path[:-1]:
                inside = inside.setdefault(part, {})
            inside[path[-1]] = values[column.name]
    support = {SUPPORT[name]: values[name] for name in SUPPORT if values.get(name) is not None}
    return body | ({"support": {"state": "unknown"} | support} if support else {})


def parse(kind: str, model: type[BaseModel], body: Mapping[str, Any]) -> Any:
    """The body of a thing of a kind as its model. Raises Malformed with all that is wrong, by column."""
    try:
        return model.model_validate(body)
    except ValidationError as exc:
        told = [_told(kind, fault) for fault in exc.errors(include_url=False, include_input=False)]
        refused = Malformed(**told[0])
        refused.extra["errors"] = told
        raise refused from exc


def _told(kind: str, fault: Mapping[str, Any]) -> dict[str, str]:
    path = ".".join(map(str, fault["loc"])) or "row"
    column = next((one for one in COLUMNS[kind] if path in (one.field, one.name)), None)
    example = column.example if column else str(fault.get("ctx", {}).get("example", "as an export writes it"))
    return {"field": column.name if column else path, "rule": _rule(fault["msg"]), "example": example}


def _rule(said: str) -> str:
    return WORDS.get(said) or said.removeprefix("Value error, ").removeprefix("Input ").replace("should be", "must be")


async def _make_group(make: Making, values: Values) -> str:
    body = parse("groups", GroupBody, body_of("groups", values))
    return (await groups.create_group(make.tx, body.name, body.parent_id, make.as_id)).id


async def _change_group(tx: Transaction, old: Values, values: Values) -> None:
    body = parse("groups", GroupBody, body_of("groups", values, ["id"]))
    await groups.change_group(tx, old["id"], old["_version"], body.name, body.parent_id)


async def _make_site(make: Making, values: Values) -> str:
    body = parse("sites", RegisterSite, body_of("sites", values))
    return (await sites.register_site(make.tx, body.id, body.name, body.time_zone, body.place())).id


async def _change_site(tx: Transaction, old: Values, values: Values) -> None:
    body = parse("sites", ChangeSite, body_of("sites", values, ["id"]))
    await sites.change_site(tx, old["id"], old["_version"], body.name, body.time_zone, body.place())


async def _make_vendor(make: Making, values: Values) -> str:
    details = parse("vendors", VendorDetails, body_of("vendors", values))
    return (await vendors.register_vendor(make.tx, details, make.as_id)).id


async def _change_vendor(tx: Transaction, old: Values, values: Values) -> None:
    body = parse("vendors", VendorDetails, body_of("vendors", values, ["id"]))
    await vendors.change_vendor(tx, old["id"], old["_version"], body)


async def _make_product(make: Making, values: Values) -> str:
    details = parse("products", ProductDetails, body_of("products", values))
    return (await vendors.register_product(make.tx, details, make.as_id)).id


async def _change_product(tx: Transaction, old: Values, values: Values) -> None:
    body = parse("products", ProductDetails, body_of("products", values, ["id"]))
    await vendors.change_product(tx, old["id"], old["_version"], body)


async def _make_version(make: Making, values: Values) -> str:
    details = parse("product_versions", VersionDetails, body_of("product_versions", values))
    return (await vendors.register_version(make.tx, details, make.as_id)).id


async def _change_version(tx: Transaction, old: Values, values: Values) -> None:
    body = parse("product_versions", VersionDetails, body_of("product_versions", values, ["id"]))
    await vendors.change_version(tx, old["id"], old["_version"], body)


async def _make_field(make: Making, values: Values) -> str:
    body = parse("fields", DefineField, body_of("fields", values))
    definition = FieldDefinition(id=make.as_id or new_id(), version=1, **body.model_dump())
    return (await fields.define_field(make.tx, definition)).id


async def _change_field(tx: Transaction, old: Values, values: Values) -> None:
    for name in ("component_type", "name", "kind"):
        if values[name] != old[name]:
            raise Malformed(name, f"stays {old[name]}: values of another one belong to another field", old[name])
    body = parse("fields", ChangeField, body_of("fields", values, ["id", "component_type", "name", "kind"]))
    await fields.change_field(tx, old["id"], old["_version"], **body.model_dump())


async def _make_system(make: Making, values: Values) -> str:
    body = parse("systems", RegisterSystem, body_of("systems", values))
    known = (body.site_id, body.name, body.software, body.state, body.placing())
    return (await assets.register_system(make.tx, *known, make.as_id)).id


async def _change_system(tx: Transaction, old: Values, values: Values) -> None:
    body = parse("systems", ChangeSystem, body_of("systems", values, ["id", "site", "state"]))
    await assets.change_system(tx, old["id"], old["_version"], body.name, body.software, body.placing())


async def _make_node(make: Making, values: Values) -> str:
    body = parse("nodes", RegisterNode, {"role": "modality"} | body_of("nodes", values, ["site"]))
    known = (body.system_id, body.name, body.address(), body.state, body.membership())
    return (await assets.register_node(make.tx, *known, make.as_id)).id


async def _change_node(tx: Transaction, old: Values, values: Values) -> None:
    body = parse("nodes", ChangeNode, body_of("nodes", values, ["id", "site", "state"]))
    address, membership = body.address(), body.membership()
    await assets.change_node(tx, old["id"], old["_version"], body.system_id, body.name, address, membership)


async def _make_link(make: Making, values: Values) -> str:
    draft = parse("links", LinkDraft, body_of("links", values))
    return (await links.create_link(make.tx, draft, make.caller, make.as_id)).id


async def _make_contract(make: Making, values: Values) -> str:
    body = parse("contracts", RegisterContract, body_of("contracts", values))
    return (await contracts.register_contract(make.tx, body.site_id, body, make.as_id)).id


async def _change_contract(tx: Transaction, old: Values, values: Values) -> None:
    body = parse("contracts", ContractDetails, body_of("contracts", values, ["id", "site"]))
    await contracts.change_contract(tx, old["id"], old["_version"], body)


async def _make_person(make: Making, values: Values) -> str:
    body = parse("people", RegisterPerson, body_of("people", values))
    return (await people.register_person(make.tx, body.site_id, body, make.as_id)).id


async def _change_person(tx: Transaction, old: Values, values: Values) -> None:
    body = parse("people", PersonDetails, body_of("people", values, ["id", "site"]))
    await people.change_person(tx, old["id"], old["_version"], body)


async def _read(make: Making, values: Values) -> str:
    body = parse("usage", Reading, body_of("usage", values, ["asset"]))
    read = await usage.record_usage(make.tx, values["asset"], values["site"], body.counter, body.value, body.at)
    return read.asset_id


async def _read_again(tx: Transaction, old: Values, values: Values) -> None:
    at = {"at": values["at"]} if values["at"] != old["at"] else {}
    body = parse("usage", Reading, body_of("usage", values | at, ["asset", *([] if at else ["at"])]))
    await usage.record_usage(tx, old["asset"], old["site"], body.counter, body.value, body.at)


MAKE: Mapping[str, Callable[[Making, Values], Awaitable[str]]] = {
    **{"groups": _make_group, "sites": _make_site, "vendors": _make_vendor, "products": _make_product},
    **{"product_versions": _make_version, "systems": _make_system, "nodes": _make_node, "links": _make_link},
    **{"fields": _make_field, "contracts": _make_contract, "people": _make_person, "usage": _read},
}
CHANGE: Mapping[str, Callable[[Transaction, Values, Values], Awaitable[None]]] = {
    **{"groups": _change_group, "sites": _change_site, "vendors": _change_vendor, "products": _change_product},
    **{"product_versions": _change_version, "systems": _change_system, "nodes": _change_node},
    **{"fields": _change_field, "contracts": _change_contract, "people": _change_person, "usage": _read_again},
}
"""For each kind, what makes one and returns its id, and what changes one from the values it had."""
