"""SBOMs in CycloneDX 1.4 to 1.6 (ECMA-424), JSON or XML: the parts that we use, held to the standard's rules.

What an SBOM is about (``metadata.component``) is the asset itself; its components, nested ones too, are its software.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from services.inventory.documents.markup import NotTaken, walk_xml
from shared.events.documents import SoftwareType

VERSIONS = ("1.4", "1.5", "1.6")
NAMESPACE = "http://cyclonedx.org/schema/bom/"
MAX_ITEMS = 100_000
MAX_NESTING = 50
TEXTS = frozenset({"name", "version", "group", "publisher", "purl", "cpe"})
ALGORITHMS = frozenset(
    {
        *("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512", "SHA3-256", "SHA3-384", "SHA3-512"),
        *("BLAKE2b-256", "BLAKE2b-384", "BLAKE2b-512", "BLAKE3"),
    }
)
_DIGEST = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F]{96}|[0-9a-fA-F]{128}")
_PURL = re.compile(r"pkg:[A-Za-z][A-Za-z0-9.+-]*/\S+")
_CPE = re.compile(r"cpe:(2\.3:[aho*-]:|/[aho]?:)\S+", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LENGTHS = {"name": 300, "group": 300, "version": 200, "purl": 1000, "cpe": 500, "supplier": 300}


class _Hash(msgspec.Struct):
    alg: str
    content: str


class _Supplier(msgspec.Struct):
    name: str | None = None


class _Component(msgspec.Struct):
    type: SoftwareType
    name: str
    version: str | None = None
    group: str | None = None
    publisher: str | None = None
    purl: str | None = None
    cpe: str | None = None
    supplier: _Supplier | None = None
    hashes: list[_Hash] = []
    components: list["_Component"] = []


class _Bom(msgspec.Struct):
    bomFormat: str
    specVersion: str
    components: list[_Component] = []


@dataclass(frozen=True)
class Item:
    """One component of an SBOM. ``name`` has its group before it, as in ``org.apache.logging/log4j-core``."""

    type: SoftwareType
    name: str
    version: str | None
    purl: str | None
    cpe: str | None
    supplier: str | None
    hashes: Mapping[str, str]

    @property
    def identity(self) -> tuple[str, str]:
        """What two versions of one thing have in common."""
        if self.purl is None:
            return self.type, self.name.casefold()
        return "purl", re.split(r"[@?#]", self.purl, maxsplit=1)[0].casefold()


@dataclass(frozen=True)
class Sbom:
    """What an SBOM says: each thing once, in its order."""

    spec_version: str
    items: tuple[Item, ...]


def read_sbom(raw: bytes, media_type: str) -> Sbom:
    """Reads an SBOM. Raises NotTaken with the first rule that it breaks, and where."""
    if media_type == "application/json":
        bom = _read_json(raw)
    elif media_type == "application/xml":
        bom = _read_xml([raw])
    else:
        raise NotTaken("must be CycloneDX as JSON or XML")
    if bom.bomFormat != "CycloneDX" or bom.specVersion not in VERSIONS:
        raise NotTaken(f"must be CycloneDX {', '.join(VERSIONS)}, and is {bom.bomFormat!r} {bom.specVersion!r}"[:200])
    found: dict[tuple[object, ...], Item] = {}
    for where, component in _nested(bom.components, "components", 1):
        item = _item(component, where)
        found.setdefault(_key(item), item)
        if len(found) > MAX_ITEMS:
            raise NotTaken(f"must have at most {MAX_ITEMS} components")
    return Sbom(bom.specVersion, tuple(found.values()))


def _key(item: Item) -> tuple[object, ...]:
    return item.type, item.name, item.version, item.purl, item.cpe


def _read_json(raw: bytes) -> _Bom:
    try:
        return msgspec.json.decode(raw, type=_Bom)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise NotTaken(f"must be CycloneDX: {exc}"[:300]) from exc


def _nested(components: Iterable[_Component], path: str, depth: int) -> Iterator[tuple[str, _Component]]:
    if depth > MAX_NESTING:
        raise NotTaken(f"must nest components at most {MAX_NESTING} deep")
    for number, component in enumerate(components):
        where = f"{path}[{number}]"
        yield where, component
        yield from _nested(component.components, f"{where}.components", depth + 1)


def _item(component: _Component, where: str) -> Item:
    supplier = (component.supplier and component.supplier.name) or component.publisher
    group = _text(component.group, where, "group")
    name = _text(component.name, where, "name")
    if name is None:
        raise NotTaken(f"must give {where} a name")
    return Item(
        type=component.type,
        name=f"{group}/{name}" if group else name,
        version=_text(component.version, where, "version"),
        purl=_text(component.purl, where, "purl", _PURL),
        cpe=_text(component.cpe, where, "cpe", _CPE),
        supplier=_text(supplier, where, "supplier"),
        hashes=dict(_digest(one, where) for one in component.hashes),
    )


def _text(value: str | None, where: str, what: str, rule: re.Pattern[str] | None = None) -> str | None:
    text = (value or "").strip()
    if len(text) > LENGTHS[what] or _CONTROL.search(text):
        raise NotTaken(f"must keep {where}.{what} to {LENGTHS[what]} characters, none of them a control character")
    if text and rule is not None and not rule.fullmatch(text):
        raise NotTaken(f"must have a valid {what} at {where}, or none")
    return text or None


def _digest(one: _Hash, where: str) -> tuple[str, str]:
    if one.alg not in ALGORITHMS or not _DIGEST.fullmatch(one.content.strip()):
        raise NotTaken(f"must have hashes in hex by an algorithm of the standard at {where}.hashes")
    return one.alg, one.content.strip().lower()


class _XmlBom:
    """Gathers what the JSON form would hold from the walk through an XML document."""

    def __init__(self) -> None:
        self.bom: dict[str, Any] = {"bomFormat": "", "specVersion": "", "components": []}
        self._open: list[dict[str, Any]] = []
        self._algorithm = ""

    def enter(self, path: list[str], attributes: dict[str, str]) -> None:
        if len(path) == 1:
            namespace = attributes.get("xmlns", "")
            self.bom["bomFormat"] = "CycloneDX" if path == ["bom"] and namespace.startswith(NAMESPACE) else path[0]
            self.bom["specVersion"] = namespace.removeprefix(NAMESPACE)
        elif _is_component(path):
            made: dict[str, Any] = {"type": attributes.get("type", ""), "hashes": [], "components": []}
            (self._open[-1] if self._open else self.bom)["components"].append(made)
            self._open.append(made)
        elif path[-1] == "hash":
            self._algorithm = attributes.get("alg", "")

    def leave(self, path: list[str], text: str) -> None:
        if _is_component(path):
            self._open.pop()
        elif path[-1] in TEXTS and _is_component(path[:-1]):
            self._open[-1][path[-1]] = text
        elif path[-2:] == ["supplier", "name"] and _is_component(path[:-2]):
            self._open[-1]["supplier"] = {"name": text}
        elif path[-2:] == ["hashes", "hash"] and _is_component(path[:-2]):
            self._open[-1]["hashes"].append({"alg": self._algorithm, "content": text})


def _is_component(path: list[str]) -> bool:
    """Whether the way leads over nothing but lists of components: not into metadata, tools or a pedigree."""
    steps = path[1:]
    return (
        path[0] == "bom"
        and len(steps) > 0
        and len(steps) % 2 == 0
        and all(steps[n : n + 2] == ["components", "component"] for n in range(0, len(steps), 2))
    )


def _read_xml(content: Iterable[bytes]) -> _Bom:
    gathered = _XmlBom()
    walk_xml(content, gathered.enter, gathered.leave)
    try:
        return msgspec.convert(gathered.bom, type=_Bom)
    except (msgspec.ValidationError, RecursionError) as exc:
        raise NotTaken(f"must be CycloneDX: {exc}"[:300]) from exc
