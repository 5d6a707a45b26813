"""Puts rows of components, some hundred at a time: all are found, judged and written in a few statements."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from services.inventory.assets.domain import Component
from services.inventory.components.domain import (
    ComponentChange,
    ComponentDraft,
    kept_maker_keys,
    maker_key,
    serial_key,
)
from services.inventory.components.handlers import put_components
from services.inventory.components.known import ChangedComponent, NewComponent, Put
from services.inventory.exports.cells import CellKind, Column, read_text
from services.inventory.exports.columns import COLUMNS, FIELD, NO_FIELD
from services.inventory.exports.handlers import find_things
from services.inventory.fields.domain import EXAMPLES, FieldDefinition, parse_value
from services.inventory.fields.handlers import hold_fields
from services.inventory.imports import store
from services.inventory.imports.domain import (
    Outcome,
    Row,
    What,
    as_restored,
    at_start,
    columns_by_field,
    of_new,
    refused,
    restored_id,
)
from services.inventory.imports.making import Values, parse
from services.inventory.imports.references import References, is_id
from services.inventory.imports.store import Known
from services.inventory.vendors.handlers import makers_of
from services.inventory.vendors.names import Makers
from shared.errors import Conflict, Malformed, NotFound, Refused
from shared.events.inventory import ComponentType, FieldKind
from shared.grants import Caller
from shared.transactions import Transaction, new_id

FIELD_OF = {c.name: c.field or c.name for c in COLUMNS["components"] if c.field != NO_FIELD}
COLUMN_OF = columns_by_field("components")
MADE_FROM = FIELD_OF.keys() - {"id"}
FIXED = {"site": "site_id", "type": "type", "state": "state"}
CELLS: Mapping[FieldKind, CellKind] = {
    **{"text": "text", "choice": "text", "number": "decimal", "date": "day", "boolean": "flag"},
}
CHANGING = tuple(ComponentChange.model_fields)


@dataclass
class Directory:
    """The components that rows of a batch may mean: those that are there, and those that rows before have made.

    ``taken`` are ids of other assets that rows give.
    """

    makers: Makers
    taken: frozenset[str] = frozenset()
    by_id: dict[str, Known] = field(default_factory=dict)
    by_serial: dict[tuple[str, str], Known] = field(default_factory=dict)
    by_tag: dict[tuple[str, str], Known] = field(default_factory=dict)
    by_name: dict[tuple[str, str], dict[str, Known]] = field(default_factory=lambda: defaultdict(dict))
    by_key: dict[tuple[str, str], dict[str, Known]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, known: Known) -> None:
        """Takes in a component."""
        self.by_id[known.id] = known
        self.by_name[known.site_id, known.name][known.id] = known
        if known.serial_key:
            self.by_serial[known.maker_key, known.serial_key] = known
            self.by_key[known.site_id, known.serial_key][known.id] = known
        if known.tag_key:
            self.by_tag[known.site_id, known.tag_key] = known
            self.by_key[known.site_id, known.tag_key][known.id] = known

    def meant(self, values: Values, holder: str | None) -> Known | None:
        """The component that a row is about: the one with its serial number, else its tag, else its name and place.

        A weaker mark never stands against a stronger one that says otherwise. Raises Malformed where several fit.
        """
        serial, tag = serial_key(values.get("serial")), serial_key(values.get("asset_tag"))
        site = values.get("site", "")
        maker = maker_key(values.get("manufacturer"), values.get("product"), site, self.makers)
        if serial and (known := self.by_serial.get((maker, serial))):
            return known
        if tag and (known := self.by_tag.get((site, tag))) and (not serial or not known.serial_key):
            return known
        fitting = [
            known
            for known in self.by_name.get((site, values.get("name", "")), {}).values()
            if known.type == values.get("type")
            and (not serial or not known.serial_key)
            and (not tag or not known.tag_key)
            and ("installed_in" not in values or known.installed_in == holder)
        ]
        if len(fitting) > 1:
            raise Malformed(
                "name", f"is that of {len(fitting)} components there; say the serial, tag or id", "QB-7781-204"
            )
        return fitting[0] if fitting else None

    def holder(self, text: str, site: str) -> str:
        """The id of the component at a site that goes by a serial number, a tag or a name. Raises Malformed."""
        if is_id(text):
            return text.lower()
        found = self.by_key.get((site, serial_key(text) or ""), {}) or self.by_name.get((site, text), {})
        if len(found) != 1:
            what = (
                f"is the name of {len(found)} components"
                if found
                else "is no component that is there or in a row before"
            )
            raise Malformed("installed_in", f"{text!r} {what} at {site}; say its serial, tag or id", "QB-7781-204")
        return next(iter(found))


@dataclass(frozen=True)
class Planned:
    """What is to be done for a row."""

    row: Row
    put: Put
    changes: Sequence[tuple[str, Any, Any]]


@dataclass
class Hardware:
    """The rows of components of one import. It remembers which components it has had, by 16 bytes each.

    One that is ``restoring`` makes what is not there under the id that a row gives; else such a row is refused.
    """

    tx: Transaction
    caller: Caller
    names: References
    restoring: bool = False
    _had: set[bytes] = field(default_factory=set)

    async def put(self, rows: Sequence[Row]) -> list[Outcome]:
        """Makes and changes components, and says of each row what became of it."""
        directory = await self._directory(rows)
        things = await find_things(self.tx.conn, "components", list(directory.by_id))
        definitions = await self._definitions(rows, things)
        planned: list[Planned | Outcome] = []
        for row in rows:
            try:
                planned.append(await self._plan(row, directory, things, definitions))
            except Refused as exc:
                planned.append(refused(row, exc, COLUMN_OF))
        wanted = [one for one in planned if isinstance(one, Planned)]
        outcomes = iter(await put_components(self.tx, [one.put for one in wanted], self.caller) if wanted else ())
        new = {one.put.id for one in wanted}
        return [_outcome(one, next(outcomes), new) if isinstance(one, Planned) else one for one in planned]

    async def _directory(self, rows: Sequence[Row]) -> Directory:
        values = [row.values for row in rows]
        sites = [(one, one.get("site", "")) for one in values]
        named = {(site, str(one[name])) for one, site in sites for name in ("name", "installed_in") if one.get(name)}
        holders = {(site, serial_key(one["installed_in"]) or "") for one, site in sites if one.get("installed_in")}
        tagged = {(site, serial_key(one["asset_tag"]) or "") for one, site in sites if one.get("asset_tag")} | holders
        ids = {one["id"].lower() for one in values if one.get("id")}
        makers, serials = await self._serials(values)
        taken = await store.select_taken_ids(self.tx.conn, ids) if self.restoring else set()
        directory = Directory(makers, frozenset(taken))
        marks = (ids, serials, named, tagged, holders)
        for one in await store.select_known(self.tx.conn, *map(list, marks)):
            key = serials.get((one.maker_key, one.serial_key or ""), one.maker_key)
            directory.add(replace(one, maker_key=key))
        return directory

    async def _serials(self, rows: Sequence[Values]) -> tuple[Makers, Mapping[tuple[str, str], str]]:
        """The makers that rows name, and each of their serial numbers as it may be kept, with the key of its maker."""
        numbered = [(one, serial) for one in rows if (serial := serial_key(one.get("serial")))]
        products = [await self.names.product_if_any(one.get("product"), one.get("manufacturer")) for one, _ in numbered]
        names = {one["manufacturer"] for one, _ in numbered if one.get("manufacturer")}
        makers = await makers_of(self.tx.conn, names, {product for product in products if product})
        found = {}
        for (one, serial), product in zip(numbered, products, strict=True):
            key = maker_key(one.get("manufacturer"), product, one.get("site", ""), makers)
            found.update(dict.fromkeys([(kept, serial) for kept in kept_maker_keys(key, makers)], key))
        return makers, found

    async def _definitions(
        self, rows: Sequence[Row], things: Mapping[str, Values]
    ) -> dict[tuple[str, str], FieldDefinition]:
        if not any(name.startswith(FIELD) for row in rows for name in row.values):
            return {}
        named = {row.values.get("type") for row in rows} | {thing["type"] for thing in things.values()}
        found = await hold_fields(self.tx, [one for one in get_args(ComponentType) if one in named])
        return {(one.component_type, one.name): one for one in found}

    async def _plan(
        self,
        row: Row,
        directory: Directory,
        things: Mapping[str, Values],
        definitions: Mapping[tuple[str, str], FieldDefinition],
    ) -> Planned | Outcome:
        self._check_rights(row.values, directory)
        values = await self._referring(row.values, directory)
        known = self._known(values, directory)
        if known is None:
            return self._new(row, values, directory, definitions)
        self.caller.require("operator", known.site_id, f"component {known.id}")
        self._note(known.id)
        old = things.get(known.id)
        if old is None:
            raise Conflict("a row before is about the same component")
        return self._changed(row, values, old, definitions)

    def _check_rights(self, values: Values, directory: Directory) -> None:
        """Before anything is looked up, so that no refusal tells of what the caller may not see."""
        if values.get("site"):
            self.caller.require("operator", values["site"])
        if "id" in values:
            known = directory.by_id.get(str(values["id"]).lower())
            if known is None and not self.restoring:
                raise NotFound(f"no component {values['id']}")
            if known is None:
                return
            self.caller.require("operator", known.site_id, f"component {values['id']}")

    def _known(self, values: Values, directory: Directory) -> Known | None:
        if "id" in values:
            return directory.by_id.get(str(values["id"]).lower())
        known = directory.meant(values, values.get("installed_in"))
        # Where one that the caller may not see has the serial number, the rules of components refuse the row.
        return known if known and self.caller.has("viewer", known.site_id) else None

    def _note(self, component_id: str) -> None:
        mark = bytes.fromhex(component_id.replace("-", ""))
        if mark in self._had:
            raise Conflict("a row before is about the same component")
        self._had.add(mark)

    async def _referring(self, told: Values, directory: Directory) -> Values:
        values = dict(told)
        known = directory.by_id.get(str(values.get("id", "")).lower())
        site = values.get("site") or (known.site_id if known else None)
        if values.get("system"):
            values["system"] = (await self.names.system("system", values["system"], site)).id
        if values.get("installed_in"):
            values["installed_in"] = directory.holder(values["installed_in"], site or "")
        if values.get("product"):
            values["product"] = await self.names.product("product", values["product"], values.get("manufacturer"))
        return values

    def _new(
        self,
        row: Row,
        values: Values,
        directory: Directory,
        definitions: Mapping[tuple[str, str], FieldDefinition],
    ) -> Planned:
        values = at_start(as_restored(values) if self.restoring else values)
        made = restored_id(values) or new_id()
        if made in directory.taken:
            raise Conflict(f"{made} is the id of an asset of another kind")
        for column in COLUMNS["components"]:
            if column.needed and values.get(column.name) is None:
                raise Malformed(column.name, "is missing, and no such component is there", column.example)
        body = {FIELD_OF[name]: value for name, value in values.items() if name in MADE_FROM and value is not None}
        fields = _fields(values, definitions, values["type"], {})
        draft: ComponentDraft = parse("components", ComponentDraft, body | {"fields": fields})
        self._note(made)
        directory.add(_known_as(made, draft, directory.makers))
        return Planned(row, NewComponent(made, draft), of_new(row.values))

    def _changed(
        self, row: Row, values: Values, old: Values, definitions: Mapping[tuple[str, str], FieldDefinition]
    ) -> Planned | Outcome:
        for name in FIXED:
            if name in values and values[name] != old[name] and not (self.restoring and name == "state"):
                rule = f"stays {old[name]}: a state is moved by a transition, all else is for ever"
                raise Malformed(name, rule, str(old[name]))
        before = {name: old[COLUMN_OF.get(name, name)] for name in CHANGING}
        told = {FIELD_OF[n]: v for n, v in values.items() if n in FIELD_OF and n not in FIXED and n != "id"}
        fields = _fields(values, definitions, old["type"], before["fields"])
        change: ComponentChange = parse("components", ComponentChange, before | told | {"fields": fields})
        changes = list(_differences(before, dict(change)))
        if not changes:
            return Outcome(row.place, "same")
        return Planned(row, ChangedComponent(old["id"], old["_version"], change), changes)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    for name in CHANGING:
        if name == "fields":
            olds, news = before[name], after[name]
            for part in sorted(olds.keys() | news.keys()):
                if olds.get(part) != news.get(part):
                    yield FIELD + part, olds.get(part), news.get(part)
        elif before[name] != after[name]:
            yield COLUMN_OF.get(name, name), before[name], after[name]


def _fields(
    values: Values, definitions: Mapping[tuple[str, str], FieldDefinition], kind: str, before: Mapping[str, Any]
) -> Values:
    fields = dict(before)
    for name, cell in values.items():
        if name.startswith(FIELD):
            own = name.removeprefix(FIELD)
            if cell is None:
                fields.pop(own, None)
            elif (kind, own) in definitions:
                fields[own] = _field(name, definitions[kind, own], cell)
            else:
                raise Malformed(name, f"is no field of a {kind}", "an empty cell")
    return fields


def _field(column: str, definition: FieldDefinition, cell: str) -> Any:
    value = read_text(Column(column, EXAMPLES[definition.kind], CELLS[definition.kind]), cell)
    return parse_value(definition, value.isoformat() if definition.kind == "date" else value)


def _known_as(component_id: str, draft: ComponentDraft, makers: Makers) -> Known:
    return Known(
        id=component_id,
        site_id=draft.site_id,
        type=draft.type,
        name=draft.name,
        maker_key=maker_key(draft.manufacturer, draft.product_id, draft.site_id, makers),
        serial_key=serial_key(draft.serial),
        tag_key=serial_key(draft.asset_tag),
        installed_in=draft.installed_in,
    )


def _outcome(planned: Planned, made: Component | Refused, new: set[str]) -> Outcome:
    row = planned.row
    if isinstance(made, Component):
        what: What = "created" if isinstance(planned.put, NewComponent) else "changed"
        return Outcome(row.place, what, made.id, made.name, planned.changes)
    told = refused(row, made, COLUMN_OF)
    if isinstance(made, NotFound) and made.detail.rpartition(" ")[2] in new:
        rule = "is in a row before, which was refused"
        return replace(told, faults=[told.faults[0].model_copy(update={"field": "installed_in", "rule": rule})])
    return told
