"""Puts rows one by one: finds the thing that a row is about, and makes or changes it by its own handlers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from services.inventory.assets import handlers as assets
from services.inventory.assets.api import ChangeNode, ChangeSystem, RegisterNode, RegisterSystem
from services.inventory.assets.domain import parse_host
from services.inventory.contracts import handlers as contracts
from services.inventory.contracts.api import RegisterContract
from services.inventory.contracts.domain import ContractDetails
from services.inventory.exports.columns import COLUMNS, NO_FIELD
from services.inventory.exports.handlers import find_things
from services.inventory.fields import handlers as fields
from services.inventory.fields.api import ChangeField, DefineField
from services.inventory.fields.domain import FieldDefinition
from services.inventory.groups import handlers as groups
from services.inventory.groups.api import GroupBody
from services.inventory.imports import store
from services.inventory.imports.domain import (
    WORDS,
    Outcome,
    Row,
    at_start,
    columns_by_field,
    differences,
    of_new,
    refused,
)
from services.inventory.imports.references import References, is_id
from services.inventory.links import handlers as links
from services.inventory.links.domain import LinkDraft
from services.inventory.people import handlers as people
from services.inventory.people.api import RegisterPerson
from services.inventory.people.domain import PersonDetails, mailbox
from services.inventory.sites import handlers as sites
from services.inventory.sites.api import ChangeSite, RegisterSite
from services.inventory.usage import handlers as usage
from services.inventory.usage.api import Reading
from services.inventory.vendors import handlers as vendors
from services.inventory.vendors.domain import ProductDetails, VendorDetails, VersionDetails
from shared.errors import Conflict, Malformed, NotFound, Refused
from shared.events import GROUP
from shared.grants import Caller, Role
from shared.transactions import Transaction, new_id

Values = dict[str, Any]
ROLES: Mapping[str, Role] = {
    **{"systems": "operator", "nodes": "operator", "links": "operator", "usage": "operator"},
    **{"sites": "site-admin", "contracts": "site-admin", "people": "site-admin"},
}
"""What role a change needs at the thing's site; the other kinds belong to the whole group."""

BY_SPELLING = ("vendors", "products")
"""Kinds that a row finds by any of their names; whoever wants another name says the id."""

FIXED = ("site", "state", "type")
SUPPORT = {"support": "state", "support_ends_on": "on", "support_source": "source", "support_stated_on": "stated_on"}


class _AsItWas(Exception):
    """A change has come to nothing, since the row only spells it otherwise."""


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


@dataclass
class Putting:
    """The rows of one import, in one transaction, in the name of who has asked for it."""

    tx: Transaction
    caller: Caller
    names: References

    async def put(self, kind: str, row: Row) -> Outcome:
        """Makes or changes what a row is about, or refuses the row and leaves no trace of it."""
        try:
            async with self.tx.attempt():
                return await self._put(kind, row)
        except _AsItWas:
            return Outcome(row.place, "same")
        except Refused as exc:
            return refused(row, exc, columns_by_field(kind))

    async def _put(self, kind: str, row: Row) -> Outcome:
        values = await self._resolved(kind, row.values)
        if kind in ROLES and kind != "sites" and values.get("site") not in (None, GROUP):
            # Before anything is looked up there, so that no refusal tells of what the caller may not see.
            self.caller.require(ROLES[kind], values["site"])
        thing_id = values.get("id") or await self._find(kind, values)
        old = (await find_things(self.tx.conn, kind, [thing_id])).get(thing_id) if thing_id else None
        if old is not None:
            if "id" not in values and kind in BY_SPELLING:
                del values["name"]
            return await self._change(kind, row, values, old)
        if "id" in values and kind != "sites":
            raise NotFound(f"no {_noun(kind)} {values['id']}")
        return await self._make(kind, row, values)

    async def _make(self, kind: str, row: Row, values: Values) -> Outcome:
        values = at_start(values)
        for column in COLUMNS[kind]:
            if column.needed and values.get(column.name) is None:
                raise Malformed(column.name, "is missing, and nothing like it is there", column.example)
        self._require(kind, values, kind, made=True)
        told = {name: value for name, value in values.items() if value is not None}
        thing_id = await _MAKE[kind](self, {name: value for name, value in told.items() if value != []})
        return Outcome(row.place, "created", thing_id, _name(values), of_new(row.values))

    async def _change(self, kind: str, row: Row, values: Values, old: Values) -> Outcome:
        self._require(kind, old, f"{_noun(kind)} {old['id']}")
        differing = {name: value for name, value in values.items() if name in old and old[name] != value}
        if not differing:
            return Outcome(row.place, "same")
        for name in FIXED:
            if name in differing and not (kind == "products" and name == "type"):
                raise Malformed(
                    name, f"stays {old[name]}: a state is moved by a transition, all else is for ever", str(old[name])
                )
        if kind not in _CHANGE:
            raise Conflict("a link is made and taken away, never changed: delete it first")
        await _CHANGE[kind](self, old, old | differing)
        new = (await find_things(self.tx.conn, kind, [old["id"]]))[old["id"]]
        changes = differences(old, new)
        if not changes:
            raise _AsItWas
        return Outcome(row.place, "changed", old["id"], _name(new), changes)

    def _require(self, kind: str, thing: Mapping[str, Any], what: str, made: bool = False) -> None:
        site = thing["id"] if kind == "sites" else thing.get("site")
        role = ROLES.get(kind)
        if role is None or site == GROUP:
            self.caller.require_everywhere("group-admin")
        elif site is not None:
            self.caller.require("group-admin" if made and kind == "sites" else role, site, None if made else what)

    async def _resolved(self, kind: str, told: Values) -> Values:
        values = dict(told)
        site = values.get("site")
        for column in COLUMNS[kind]:
            text = values.get(column.name)
            if column.refers is None or not text:
                continue
            values[column.name] = await self._referred(column.refers, column.name, text, values, site)
        if "id" in values and values["id"] and is_id(values["id"]):
            values["id"] = values["id"].lower()
        return values

    async def _referred(self, refers: str, column: str, text: Any, values: Values, site: str | None) -> Any:
        match refers:
            case "group":
                return await self.names.group(column, text)
            case "vendor":
                return await self.names.vendor(column, text)
            case "product":
                return await self.names.product(column, text, values.pop("vendor", None))
            case "system":
                system = await self.names.system(column, text, site)
                values.setdefault("site", system.site_id)
                return system.id
            case "assets":
                return sorted({(await self.names.asset(column, one, site)).id for one in text})
        asset = await self.names.asset(column, text, values.get("to_site", site) if column == "to" else site)
        values.setdefault("to_site" if column == "to" else "site", asset.site_id)
        return asset.id

    async def _find(self, kind: str, values: Values) -> str | None:
        try:
            facts = [values[name] for name in NATURAL[kind]]
        except KeyError:
            return None
        if kind == "vendors":
            known = await vendors.find_vendor_called(self.tx.conn, facts[0])
            return known.id if known else None
        if kind == "products":
            maker = await vendors.find_vendor(self.tx.conn, facts[0])
            product = await vendors.find_product_called(self.tx.conn, maker.name, facts[1])
            return product.id if product else None
        if kind == "usage":
            return "/".join(facts)
        return await store.select_natural(self.tx.conn, *self._spelled(kind, values, facts))

    def _spelled(self, kind: str, values: Values, facts: list[Any]) -> list[Any]:
        if kind == "groups":
            return [kind, facts[0], values.get("parent")]
        if kind == "people":
            return [kind, facts[0], mailbox(facts[1])]
        if kind == "nodes":
            try:
                return [kind, facts[0], parse_host(facts[1]), *facts[2:]]
            except PydanticCustomError as exc:
                raise Malformed("host", exc.message_template, "ct2.north.example.org") from exc
        if kind == "links" and facts[0] == "connected_to":
            return ["cables", *facts, *(values.get(name) for name in ("from_port", "to_port", "cable_label"))]
        return [kind, *facts]


NATURAL: Mapping[str, Sequence[str]] = {
    "groups": ("name",),
    "sites": ("id",),
    "vendors": ("name",),
    "products": ("vendor", "name"),
    "product_versions": ("product", "number"),
    "fields": ("component_type", "name"),
    "systems": ("site", "name"),
    "nodes": ("site", "host", "port", "ae_title"),
    "links": ("kind", "from", "to"),
    "contracts": ("site", "vendor", "kind", "number"),
    "people": ("site", "email"),
    "usage": ("asset", "counter"),
}
"""By which columns a row finds its thing, where it does not name its id."""


async def _make_group(put: Putting, values: Values) -> str:
    body = parse("groups", GroupBody, body_of("groups", values))
    return (await groups.create_group(put.tx, body.name, body.parent_id)).id


async def _change_group(put: Putting, old: Values, values: Values) -> None:
    body = parse("groups", GroupBody, body_of("groups", values, ["id"]))
    await groups.change_group(put.tx, old["id"], old["_version"], body.name, body.parent_id)


async def _make_site(put: Putting, values: Values) -> str:
    body = parse("sites", RegisterSite, body_of("sites", values))
    return (await sites.register_site(put.tx, body.id, body.name, body.time_zone, body.place())).id


async def _change_site(put: Putting, old: Values, values: Values) -> None:
    body = parse("sites", ChangeSite, body_of("sites", values, ["id"]))
    await sites.change_site(put.tx, old["id"], old["_version"], body.name, body.time_zone, body.place())


async def _make_vendor(put: Putting, values: Values) -> str:
    return (await vendors.register_vendor(put.tx, parse("vendors", VendorDetails, body_of("vendors", values)))).id


async def _change_vendor(put: Putting, old: Values, values: Values) -> None:
    body = parse("vendors", VendorDetails, body_of("vendors", values, ["id"]))
    await vendors.change_vendor(put.tx, old["id"], old["_version"], body)


async def _make_product(put: Putting, values: Values) -> str:
    return (await vendors.register_product(put.tx, parse("products", ProductDetails, body_of("products", values)))).id


async def _change_product(put: Putting, old: Values, values: Values) -> None:
    body = parse("products", ProductDetails, body_of("products", values, ["id"]))
    await vendors.change_product(put.tx, old["id"], old["_version"], body)


async def _make_version(put: Putting, values: Values) -> str:
    return (
        await vendors.register_version(
            put.tx, parse("product_versions", VersionDetails, body_of("product_versions", values))
        )
    ).id


async def _change_version(put: Putting, old: Values, values: Values) -> None:
    body = parse("product_versions", VersionDetails, body_of("product_versions", values, ["id"]))
    await vendors.change_version(put.tx, old["id"], old["_version"], body)


async def _make_field(put: Putting, values: Values) -> str:
    body = parse("fields", DefineField, body_of("fields", values))
    definition = FieldDefinition(id=new_id(), version=1, **body.model_dump())
    return (await fields.define_field(put.tx, definition)).id


async def _change_field(put: Putting, old: Values, values: Values) -> None:
    for name in ("component_type", "name", "kind"):
        if values[name] != old[name]:
            raise Malformed(name, f"stays {old[name]}: values of another one belong to another field", old[name])
    body = parse("fields", ChangeField, body_of("fields", values, ["id", "component_type", "name", "kind"]))
    await fields.change_field(put.tx, old["id"], old["_version"], **body.model_dump())


async def _make_system(put: Putting, values: Values) -> str:
    body = parse("systems", RegisterSystem, body_of("systems", values))
    made = await assets.register_system(put.tx, body.site_id, body.name, body.software, body.state, body.placing())
    return made.id


async def _change_system(put: Putting, old: Values, values: Values) -> None:
    body = parse("systems", ChangeSystem, body_of("systems", values, ["id", "site", "state"]))
    await assets.change_system(put.tx, old["id"], old["_version"], body.name, body.software, body.placing())


async def _make_node(put: Putting, values: Values) -> str:
    body = parse("nodes", RegisterNode, {"role": "modality"} | body_of("nodes", values, ["site"]))
    address, membership = body.address(), body.membership()
    return (await assets.register_node(put.tx, body.system_id, body.name, address, body.state, membership)).id


async def _change_node(put: Putting, old: Values, values: Values) -> None:
    body = parse("nodes", ChangeNode, body_of("nodes", values, ["id", "site", "state"]))
    address, membership = body.address(), body.membership()
    await assets.change_node(put.tx, old["id"], old["_version"], body.system_id, body.name, address, membership)


async def _make_link(put: Putting, values: Values) -> str:
    return (await links.create_link(put.tx, parse("links", LinkDraft, body_of("links", values)), put.caller)).id


async def _make_contract(put: Putting, values: Values) -> str:
    body = parse("contracts", RegisterContract, body_of("contracts", values))
    return (await contracts.register_contract(put.tx, body.site_id, body)).id


async def _change_contract(put: Putting, old: Values, values: Values) -> None:
    body = parse("contracts", ContractDetails, body_of("contracts", values, ["id", "site"]))
    await contracts.change_contract(put.tx, old["id"], old["_version"], body)


async def _make_person(put: Putting, values: Values) -> str:
    body = parse("people", RegisterPerson, body_of("people", values))
    return (await people.register_person(put.tx, body.site_id, body)).id


async def _change_person(put: Putting, old: Values, values: Values) -> None:
    body = parse("people", PersonDetails, body_of("people", values, ["id", "site"]))
    await people.change_person(put.tx, old["id"], old["_version"], body)


async def _read(put: Putting, values: Values) -> str:
    body = parse("usage", Reading, body_of("usage", values, ["asset"]))
    read = await usage.record_usage(put.tx, values["asset"], values["site"], body.counter, body.value, body.at)
    return read.asset_id


async def _read_again(put: Putting, old: Values, values: Values) -> None:
    at = {"at": values["at"]} if values["at"] != old["at"] else {}
    body = parse("usage", Reading, body_of("usage", values | at, ["asset", *([] if at else ["at"])]))
    await usage.record_usage(put.tx, old["asset"], old["site"], body.counter, body.value, body.at)


def _noun(kind: str) -> str:
    return kind.replace("_", " ").removesuffix("s")


def _name(values: Mapping[str, Any]) -> str | None:
    told = values.get("name") or values.get("number") or values.get("counter")
    return None if told is None else str(told)


_MAKE: Mapping[str, Callable[[Putting, Values], Awaitable[str]]] = {
    **{"groups": _make_group, "sites": _make_site, "vendors": _make_vendor, "products": _make_product},
    **{"product_versions": _make_version, "systems": _make_system, "nodes": _make_node, "links": _make_link},
    **{"fields": _make_field, "contracts": _make_contract, "people": _make_person, "usage": _read},
}
_CHANGE: Mapping[str, Callable[[Putting, Values, Values], Awaitable[None]]] = {
    **{"groups": _change_group, "sites": _change_site, "vendors": _change_vendor, "products": _change_product},
    **{"product_versions": _change_version, "systems": _change_system, "nodes": _change_node},
    **{"fields": _change_field, "contracts": _change_contract, "people": _change_person, "usage": _read_again},
}
