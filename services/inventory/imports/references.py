"""What the cells of a row refer to, by id or by name; nobody names what he may not see."""

import re
from collections.abc import Collection, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from services.inventory.components.domain import serial_key
from services.inventory.imports import store
from services.inventory.imports.store import Named
from services.inventory.vendors.handlers import find_product_called, find_vendor, find_vendor_called
from services.inventory.vendors.names import spelling_of_product
from shared.errors import Malformed
from shared.grants import Caller
from shared.resource import UUID
from shared.transactions import Transaction

T = TypeVar("T")

_ID = re.compile(UUID)
MOST_KEPT = 10_000


def is_id(text: str) -> bool:
    """Whether a cell is an id, and no name."""
    return bool(_ID.fullmatch(text))


@dataclass
class References:
    """Looks up what rows of one import name. What it has found it keeps, some thousands at a time."""

    tx: Transaction
    caller: Caller
    _systems: dict[tuple[str, str | None], Named] = field(default_factory=dict)
    _products: dict[tuple[str | None, str], str] = field(default_factory=dict)

    async def group(self, column: str, text: str) -> str:
        """The id of a group."""
        if is_id(text):
            return text.lower()
        return _only(column, text, "group", await store.select_group_ids(self.tx.conn, text))

    async def vendor(self, column: str, text: str) -> str:
        """The id of a vendor that goes by a name in any spelling."""
        if is_id(text):
            return (await find_vendor(self.tx.conn, text.lower())).id
        known = await find_vendor_called(self.tx.conn, text)
        return _only(column, text, "vendor", [known.id] if known else [])

    async def product(self, column: str, text: str, vendor: str | None) -> str:
        """The id of a product, of a vendor if one is named."""
        if is_id(text):
            return text.lower()
        if (vendor, text) not in self._products:
            _bound(self._products)
            self._products[vendor, text] = await self._find_product(column, text, vendor)
        return self._products[vendor, text]

    async def product_if_any(self, text: str | None, vendor: str | None) -> str | None:
        """The same, or None where no product is named, or none that can be told."""
        try:
            return await self.product("product", text, vendor) if text else None
        except Malformed:
            return None

    async def _find_product(self, column: str, text: str, vendor: str | None) -> str:
        known = await find_product_called(self.tx.conn, vendor, text) if vendor else None
        if known:
            return known.id
        found = [] if vendor else await store.select_product_ids(self.tx.conn, spelling_of_product(text))
        return _only(column, text, "product" if vendor is None else f"product of {vendor}", found)

    async def system(self, column: str, text: str, site: str | None) -> Named:
        """A system of a site, or of any where the caller may change something."""
        text = text.lower() if is_id(text) else text
        if (text, site) not in self._systems:
            _bound(self._systems)
            found = await store.select_systems_named(self.tx.conn, text, self._sites("operator", site))
            self._systems[text, site] = _only(column, text, "system", found)
        return self._systems[text, site]

    async def asset(self, column: str, text: str, site: str | None) -> Named:
        """An asset of a site, or of any that the caller may see, by id, name, AE title, serial number or tag."""
        text = text.lower() if is_id(text) else text
        sites = self._sites("viewer", site)
        found = await store.select_assets_named(self.tx.conn, text, serial_key(text) or "", sites)
        return _only(column, text, "asset", [one for one in found if one.id == text] or found)

    def _sites(self, role: str, site: str | None) -> Collection[str] | None:
        mine = self.caller.sites("operator" if role == "operator" else "viewer")
        if site is None or site == "group":
            return mine
        return [site] if mine is None or site in mine else []


def _only(column: str, text: str, what: str, found: list[T]) -> T:
    if not found:
        raise Malformed(
            column, f"{text!r} is no {what} that you can name here", "a name as the inventory has it, or an id"
        )
    if len(found) > 1:
        raise Malformed(column, f"{text!r} is the name of {len(found)} or more; give the id of one", "an id")
    return found[0]


def _bound(kept: MutableMapping[Any, Any]) -> None:
    if len(kept) >= MOST_KEPT:
        kept.clear()
