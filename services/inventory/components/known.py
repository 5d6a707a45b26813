"""What a batch of components is judged against: what is there, and what the rows before have made of it. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from services.inventory.assets.domain import Component, System, check_not_ended
from services.inventory.components.domain import (
    ComponentChange,
    ComponentDraft,
    check_facts,
    check_fits,
    check_no_ring,
    kept_maker_keys,
    maker_key,
    serial_key,
)
from services.inventory.fields.domain import FieldDefinition, check_values
from services.inventory.lifecycle.domain import FINAL
from services.inventory.vendors.names import Makers
from shared.errors import Conflict, NotFound
from shared.events.inventory import ComponentType
from shared.grants import Caller
from shared.resource import check_version

Unique = tuple[Literal["serial", "asset_tag"], str, str]


@dataclass(frozen=True)
class NewComponent:
    """A component to be registered under an id that its maker gives, so that rows behind it can name it."""

    id: str
    draft: ComponentDraft


@dataclass(frozen=True)
class ChangedComponent:
    """A component to be changed from the version that the change is based on."""

    id: str
    expected_version: int
    change: ComponentChange


Put = NewComponent | ChangedComponent


@dataclass
class Known:
    """All that rows can name, as it is when the next row is judged."""

    caller: Caller
    now: datetime
    zones: Mapping[str, str]
    components: dict[str, Component]
    systems: Mapping[str, System]
    definitions: Mapping[ComponentType, list[FieldDefinition]]
    makers: Makers
    owners: dict[Unique, dict[str, Component]] = field(default_factory=lambda: defaultdict(dict))

    def sought(self, row: Put) -> Mapping[Unique, Unique]:
        """What a row wants for itself alone, by each way in which another may have it."""
        if isinstance(row, NewComponent):
            wanted = self._uniques(row.draft, row.draft.site_id)
        else:
            old = self.components.get(row.id)
            wanted = self._uniques(row.change, old.site_id) if old else {}
        return {
            (unique[0], scope, unique[2]): unique
            for unique in wanted.values()
            for scope in kept_maker_keys(unique[1], self.makers)
        }

    def judge(self, row: Put) -> Component:
        """The component that a row makes. Raises NotFound, Forbidden, Stale, Malformed, Conflict."""
        before, facts = self._drafted(row) if isinstance(row, NewComponent) else self._changeable(row)
        definitions = self.definitions.get(facts["type"], [])
        values = check_values(definitions, facts["fields"], None if before is None else before.fields)
        made = Component(**facts | {"fields": values})
        check_facts(made, self.now.astimezone(ZoneInfo(self.zones[made.site_id])).date())
        self._check_system(made, before)
        self._check_product(made, before)
        self._check_holder(made)
        self._check_unique(made)
        return made

    def learn(self, made: Component) -> None:
        """Takes over what a row has made, for the rows behind it.

        What it gives up is free after the batch: all are written at once, and the database sees them in any order.
        """
        self.components[made.id] = made
        if made.state not in FINAL:
            for unique in self._uniques(made, made.site_id).values():
                self.owners[unique][made.id] = made

    def _drafted(self, row: NewComponent) -> tuple[None, dict[str, Any]]:
        draft = row.draft
        self.caller.require("operator", draft.site_id)
        if draft.site_id not in self.zones:
            raise NotFound(f"no site {draft.site_id}")
        if row.id in self.components:
            raise Conflict(f"component {row.id} exists already")
        return None, vars(draft) | {"id": row.id, "version": 1}

    def _changeable(self, row: ChangedComponent) -> tuple[Component, dict[str, Any]]:
        old = self.components.get(row.id)
        if old is None:
            raise NotFound(f"no component {row.id}")
        self.caller.require("operator", old.site_id, f"component {row.id}")
        check_version(f"component {row.id}", old, row.expected_version)
        check_not_ended(old)
        changes = {name: getattr(row.change, name) for name in ComponentChange.model_fields}
        return old, vars(old) | changes | {"version": old.version + 1}

    def _check_system(self, made: Component, before: Component | None) -> None:
        if made.system_id is None or (before and before.system_id == made.system_id):
            return
        system = self.systems.get(made.system_id)
        if system is None or system.site_id != made.site_id:
            raise NotFound(f"no system {made.system_id}")
        check_not_ended(system)

    def _check_product(self, made: Component, before: Component | None) -> None:
        if made.product_id is None or (before and before.product_id == made.product_id):
            return
        if made.product_id not in self.makers.products:
            raise NotFound(f"no product {made.product_id}")

    def _check_holder(self, made: Component) -> None:
        if made.installed_in is None:
            return
        holder = self.components.get(made.installed_in)
        if holder is None or holder.site_id != made.site_id:
            raise NotFound(f"no component {made.installed_in}")
        check_not_ended(holder)
        check_fits(made, holder)
        check_no_ring(made, list(self._line(holder)))

    def _line(self, first: Component) -> Iterable[Component]:
        seen: set[str] = set()
        here: Component | None = first
        while here is not None and here.id not in seen:
            seen.add(here.id)
            yield here
            here = self.components.get(here.installed_in or "")

    def _check_unique(self, made: Component) -> None:
        for name, unique in self._uniques(made, made.site_id).items():
            for owner in self.owners[unique].values():
                if owner.id != made.id:
                    raise self._taken(name, made, owner)

    def _uniques(self, said: Component | ComponentChange, site_id: str) -> dict[str, Unique]:
        found: dict[str, Unique] = {}
        if key := serial_key(said.serial):
            found["serial"] = ("serial", maker_key(said.manufacturer, said.product_id, site_id, self.makers), key)
        if key := serial_key(said.asset_tag):
            found["asset_tag"] = ("asset_tag", site_id, key)
        return found

    def _taken(self, name: str, made: Component, owner: Component) -> Conflict:
        whose = f"of {made.manufacturer}" if name == "serial" and made.manufacturer else f"at {made.site_id}"
        what = f"{name} {getattr(made, name)} {whose}"
        if not self.caller.has("viewer", owner.site_id):
            return Conflict(f"{what} belongs to another component of the group")
        return Conflict(f"{what} belongs to component {owner.name} ({owner.id}) already", component_id=owner.id)


def by_type(definitions: Iterable[FieldDefinition]) -> dict[ComponentType, list[FieldDefinition]]:
    """The fields of each type."""
    found: dict[ComponentType, list[FieldDefinition]] = defaultdict(list)
    for definition in definitions:
        found[definition.component_type].append(definition)
    return found
