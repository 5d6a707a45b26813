"""Rules of components: what may be installed in what, how a serial number is spelled, what a change may say."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from services.inventory.assets.domain import Component, FieldValue, Host, MediaType, RaidLevel, StartState
from services.inventory.vendors.names import Makers, spelling_of_vendor
from shared.bulk import RowAnswer, parse_row
from shared.errors import Conflict, Malformed
from shared.events import SiteId
from shared.events.inventory import ComponentType
from shared.resource import Body, Day, Id, Line

HOLDERS: Mapping[ComponentType, frozenset[ComponentType]] = {
    "server": frozenset({"server"}),
    "array": frozenset({"server"}),
    "drive": frozenset({"array", "server", "workstation"}),
    "ups": frozenset(),
    "battery": frozenset({"ups", "array", "server"}),
    "switch": frozenset(),
    "port": frozenset({"switch", "server", "array"}),
    "workstation": frozenset({"server"}),
    "licence": frozenset({"server", "workstation", "software", "database"}),
    "software": frozenset({"server", "workstation", "software"}),
    "database": frozenset({"server"}),
    "other": frozenset({"server", "array", "ups", "switch", "workstation", "other"}),
}
"""In which types of component one of each type can be installed; a server in a server is a virtual one."""

NESTING = frozenset(kind for kind, holders in HOLDERS.items() if kind in holders)
EARLIEST_PURCHASE = date(1980, 1, 1)
ONLY_FOR: Mapping[str, frozenset[ComponentType]] = {
    "media_type": frozenset({"drive"}),
    "raid_level": frozenset({"array"}),
    "capacity_bytes": frozenset({"drive", "array", "server", "workstation", "other"}),
}
ASKED_AGAIN = 4096
"""Of how many texts the key is kept: a batch of rows asks for each some ten times."""

_DASHES_AND_SPACES = re.compile(r"[\s\-_‐‑‒–—−\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufe00-\ufe0f]+")
"""What does not tell two numbers apart: how they are broken up, and what nobody sees."""

_SEARCHABLE = re.compile(r"\w{3}")

CHANGE: JsonDict = {
    "name": "UPS battery 1",
    "manufacturer": "Voltara",
    "model": "PowerCell 9",
    "serial": "QB-7781-204",
    "purchase_date": "2024-05-14",
    "warranty_until": "2027-05-14",
}
DRAFT: JsonDict = {"site_id": "north", "type": "battery", **CHANGE}
Values = Annotated[dict[str, FieldValue], Field(max_length=200)]


class ComponentChange(Body):
    """All that can change about a component, apart from its state; what is left out is not known (any more)."""

    model_config = ConfigDict(json_schema_extra={"examples": [CHANGE]})

    name: Line
    system_id: Id | None = None
    installed_in: Id | None = None
    manufacturer: Line | None = None
    model: Line | None = None
    product_id: Id | None = None
    serial: Line | None = None
    asset_tag: Line | None = None
    software_version: Line | None = None
    host: Host | None = None
    purchase_date: Day | None = None
    installed_on: Day | None = None
    warranty_until: Day | None = None
    capacity_bytes: Annotated[int, Field(strict=True, ge=1, lt=2**63)] | None = None
    media_type: MediaType | None = None
    raid_level: RaidLevel | None = None
    fields: Values = Field(default_factory=dict)


class ComponentDraft(ComponentChange):
    """A component of a site. Site and type stay as they are for ever."""

    model_config = ConfigDict(json_schema_extra={"examples": [DRAFT]})

    site_id: SiteId
    type: ComponentType
    state: StartState = "in_service"


class ComponentUpdate(ComponentChange):
    """A row that changes a component which has that version."""

    id: Id
    version: Annotated[int, Field(strict=True, ge=1)]


class RowResult(RowAnswer):
    """What became of one row, by its place: a component, or a problem."""

    component: Component | None = None


class BulkResult(BaseModel):
    """What became of all rows."""

    created: int
    changed: int
    refused: int
    rows: list[RowResult]


def parse_component(row: Any) -> ComponentDraft | ComponentUpdate:
    """A row of a bulk request: with an id it changes a component. Raises Malformed."""
    body: type[ComponentDraft | ComponentUpdate] = (
        ComponentUpdate if isinstance(row, dict) and "id" in row else ComponentDraft
    )
    return parse_row(body, row, "/inventory/v1/components")


def key_of(text: str | None) -> str | None:
    """What the spellings of a name or model have in common: neither case nor the width of a space matters."""
    return None if text is None else " ".join(_plain(text).split())


@lru_cache(ASKED_AGAIN)
def serial_key(text: str | None) -> str | None:
    """What the spellings of a serial number or a tag have in common: neither case nor what breaks it up matters."""
    if text is None:
        return None
    # What stood behind a space may compose with what stood before it (Unicode §3.11).
    return unicodedata.normalize("NFKC", _DASHES_AND_SPACES.sub("", _plain(text))) or _plain(text)


_VENDOR = "="
"""Begins the key of a vendor, as no spelling does."""


def maker_key(manufacturer: str | None, product_id: str | None, site_id: str, makers: Makers) -> str:
    """Within what a serial number is one: a vendor of the catalogue, another maker, or the site where none is known."""
    if vendor := makers.vendor_of(manufacturer, product_id):
        return _VENDOR + vendor
    return spelling_of_vendor(manufacturer) if manufacturer else f" {site_id}"


def kept_maker_keys(key: str, makers: Makers) -> Iterable[str]:
    """The key, and those of the time before the catalogue had the vendor, or one of its aliases."""
    return [key, *makers.spellings_of.get(key.removeprefix(_VENDOR), ())]


def search_text(component: Component) -> str:
    """All that a search looks at, in one spelling."""
    parts = (component.name, component.serial, component.asset_tag, component.manufacturer, component.model)
    spelled = (*parts, serial_key(component.serial), component.host)
    return " ".join(dict.fromkeys(_plain(part) for part in spelled if part))


def search_words(text: str) -> list[str]:
    """The words that a component must contain, each somewhere. Raises Malformed when none can be looked up."""
    words = list(dict.fromkeys(_plain(text).split()))
    if not any(_SEARCHABLE.search(word) for word in words):
        raise Malformed("q", "must have a word with three letters or digits in a row", "qb-7781")
    return words


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower().strip()
    # What is folded may compose anew, and what is composed may fold once more (Unicode §3.13, D146).
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold()).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def check_facts(component: Component, today: date) -> None:
    """Raises Malformed for a fact that its type does not have, or dates that can't be; ``today`` is the site's."""
    for name, types in ONLY_FOR.items():
        if getattr(component, name) is not None and component.type not in types:
            raise Malformed(name, f"is for {', '.join(sorted(types))} only, not for a {component.type}", "null")
    bought = component.purchase_date
    for name in ("purchase_date", "installed_on"):
        given = getattr(component, name)
        if given is not None and not EARLIEST_PURCHASE <= given <= today:
            raise Malformed(name, "must not lie in the future, nor before 1980", today.isoformat())
    if bought is not None and component.warranty_until is not None and component.warranty_until < bought:
        raise Malformed("warranty_until", "must not lie before purchase_date", bought.isoformat())


def check_fits(component: Component, holder: Component) -> None:
    """Raises Malformed when nothing of the component's type is installed in such a thing."""
    allowed = HOLDERS[component.type]
    if holder.type not in allowed:
        named = f"in {' or '.join(sorted(allowed))}" if allowed else "in nothing else"
        raise Malformed(
            "installed_in", f"a {component.type} is installed {named}, and {holder.name} is a {holder.type}", "null"
        )


def check_no_ring(component: Component, holders: list[Component]) -> None:
    """Raises Conflict when a component would be installed in itself, naming the way round.

    ``holders`` are what it is to be installed in, what that is installed in, and so on.
    """
    names = [component.name]
    for holder in holders:
        names.append(holder.name)
        if holder.id == component.id:
            raise Conflict(f"the component would be installed in itself: {' in '.join(names)}", cycle=names)
