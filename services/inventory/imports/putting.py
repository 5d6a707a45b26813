"""Puts rows one by one: finds the thing that a row is about, and makes or changes it by its own handlers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from services.inventory.assets.domain import parse_host
from services.inventory.exports.columns import COLUMNS
from services.inventory.exports.handlers import find_things
from services.inventory.imports import store
from services.inventory.imports.domain import (
    Outcome,
    Row,
    as_restored,
    at_start,
    columns_by_field,
    differences,
    of_new,
    refused,
    restored_id,
)
from services.inventory.imports.making import CHANGE, MAKE, Making, Values
from services.inventory.imports.references import References, is_id
from services.inventory.people.domain import mailbox
from services.inventory.vendors import handlers as vendors
from shared.errors import Conflict, Malformed, NotFound, Refused
from shared.events import GROUP
from shared.grants import Caller, Role
from shared.transactions import Transaction

ROLES: Mapping[str, Role] = {
    **{"systems": "operator", "nodes": "operator", "links": "operator", "usage": "operator"},
    **{"sites": "site-admin", "contracts": "site-admin", "people": "site-admin"},
}
"""What role a change needs at the thing's site; the other kinds belong to the whole group."""

BY_SPELLING = ("vendors", "products")
"""Kinds that a row finds by any of their names; whoever wants another name says the id."""

FIXED = ("site", "state", "type")


class _AsItWas(Exception):
    """A change has come to nothing, since the row only spells it otherwise."""


@dataclass
class Putting:
    """The rows of one import, in one transaction, in the name of who has asked for it.

    One that is ``restoring`` makes what is not there under the id that a row gives; else such a row is refused.
    """

    tx: Transaction
    caller: Caller
    names: References
    restoring: bool = False

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
            if self.restoring:
                # It tells of where a thing began again, and that may have gone on since.
                values.pop("state", None)
            return await self._change(kind, row, values, old)
        if "id" not in values or kind == "sites":
            return await self._make(kind, row, values, of_new(row.values), None)
        if not self.restoring:
            raise NotFound(f"no {_noun(kind)} {values['id']}")
        return await self._restore(kind, row, values)

    async def _restore(self, kind: str, row: Row, values: Values) -> Outcome:
        thing_id = restored_id(values)
        if thing_id and await store.select_taken_ids(self.tx.conn, [thing_id]):
            raise Conflict(f"{thing_id} is the id of an asset of another kind")
        if kind == "contracts" and not await store.is_document(self.tx.conn, values.get("document")):
            values.pop("document", None)
        known = as_restored({name: value for name, value in values.items() if name != "id"})
        return await self._make(kind, row, known, of_new(known), thing_id)

    async def _make(
        self, kind: str, row: Row, values: Values, told: Sequence[tuple[str, Any, Any]], as_id: str | None
    ) -> Outcome:
        values = at_start(values)
        for column in COLUMNS[kind]:
            if column.needed and values.get(column.name) is None:
                raise Malformed(column.name, "is missing, and nothing like it is there", column.example)
        self._require(kind, values, kind, made=True)
        said = {name: value for name, value in values.items() if value is not None and value != []}
        thing_id = await MAKE[kind](Making(self.tx, self.caller, as_id), said)
        return Outcome(row.place, "created", thing_id, _name(values), told)

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
        if kind not in CHANGE:
            raise Conflict("a link is made and taken away, never changed: delete it first")
        await CHANGE[kind](self.tx, old, old | differing)
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
                return await self._assets(column, text, site)
        asset = await self.names.asset(column, text, values.get("to_site", site) if column == "to" else site)
        values.setdefault("to_site" if column == "to" else "site", asset.site_id)
        return asset.id

    async def _assets(self, column: str, names: Sequence[str], site: str | None) -> list[str]:
        found = set()
        for one in names:
            try:
                found.add((await self.names.asset(column, one, site)).id)
            except Malformed:
                # What was exported and could not be made again is no asset here.
                if not (self.restoring and is_id(one)):
                    raise
        return sorted(found)

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


def _noun(kind: str) -> str:
    return kind.replace("_", " ").removesuffix("s")


def _name(values: Mapping[str, Any]) -> str | None:
    told = values.get("name") or values.get("number") or values.get("counter")
    return None if told is None else str(told)
