"""The application entities that a dcm4chee-arc knows: from its REST API or from an LDIF export of its LDAP directory.

``GET /dcm4chee-arc/aes`` tells the entities with the references of their connections, ``GET /dcm4chee-arc/devices``
the devices that hold them; ``/devices/NAME`` tells one device with hosts and ports (DICOM PS3.15 Annex H). Each entity
that can be called becomes a row of nodes.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.inventory.imports.domain import BadFile

Entry = dict[str, list[str]]
CONNECTION = "dicomNetworkConnection"


def read_json(raw: bytes) -> Any:
    """An answer of the REST API. Raises BadFile."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise BadFile(f"that is no answer of dcm4chee-arc: {exc}") from exc


def device_names(aes: Any, devices: Any) -> list[str]:
    """The devices that are told of, each once. Raises BadFile."""
    if not isinstance(aes, list) or not isinstance(devices, list):
        raise BadFile("dcm4chee-arc must tell a list of aes and a list of devices")
    told = [one.get("dicomDeviceName") for one in (*aes, *devices) if isinstance(one, dict)]
    return list(dict.fromkeys(name for name in told if isinstance(name, str) and name))


def read_device(device: Any) -> list[dict[str, str]]:
    """The rows of a device's entities. Raises BadFile."""
    if not isinstance(device, dict):
        raise BadFile("a device must be an object")
    connections = device.get(CONNECTION)
    entities = device.get("dicomNetworkAE")
    if not isinstance(connections, list) or not isinstance(entities, list):
        return []
    rows = (_row(entity, connections) for entity in entities if isinstance(entity, dict))
    return [row for row in rows if row is not None]


def _row(entity: Mapping[str, Any], connections: list[Any]) -> dict[str, str] | None:
    for reference in _listed(entity.get("dicomNetworkConnectionReference")):
        # A reference is a JSON pointer into the device: /dicomNetworkConnection/0.
        place = str(reference).rpartition("/")[2]
        if place.isascii() and place.isdigit() and int(place) < len(connections):
            connection = connections[int(place)]
            if isinstance(connection, dict) and connection.get("dicomPort"):
                about = entity.get("dicomDescription") or entity.get("dicomAETitle")
                return _node(entity.get("dicomAETitle"), connection, about)
    return None


def _node(ae_title: Any, connection: Mapping[str, Any], name: Any) -> dict[str, str]:
    told = {
        **{"start_name": name, "ae_title": ae_title},
        **{"host": connection.get("dicomHostname"), "port": connection.get("dicomPort")},
    }
    return {column: str(value) for column, value in told.items() if value is not None}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def read_ldif(raw: bytes) -> list[dict[str, str]]:
    """The rows of an LDIF export (RFC 2849). Raises BadFile."""
    try:
        entries = list(_entries(raw.decode("utf-8-sig")))
    except ValueError as exc:
        raise BadFile(f"that is no LDIF: {exc}") from exc
    by_name = {_folded(entry["dn"][0]): entry for entry in entries if "dn" in entry}
    rows = [row for entry in entries if "dicomaetitle" in entry for row in _of_entry(entry, by_name)]
    if not rows:
        raise BadFile("the LDIF holds no dicomNetworkAE whose connection has a port")
    return rows


def _of_entry(entry: Entry, by_name: Mapping[str, Entry]) -> Iterator[dict[str, str]]:
    for reference in entry.get("dicomnetworkconnectionreference", ()):
        connection = by_name.get(_folded(reference), {})
        if "dicomport" in connection:
            title = entry["dicomaetitle"][0]
            where = {"dicomHostname": _first(connection, "dicomhostname"), "dicomPort": connection["dicomport"][0]}
            yield _node(title, where, _first(entry, "dicomdescription") or title)
            return


def _first(entry: Entry, name: str) -> str | None:
    return next(iter(entry.get(name, ())), None)


def _folded(name: str) -> str:
    return ",".join(part.strip() for part in name.casefold().split(","))


def _entries(text: str) -> Iterator[Entry]:
    entry: Entry = {}
    for line in (*_unfolded(text.splitlines()), ""):
        if not line:
            if entry:
                yield entry
            entry = {}
        elif not line.startswith("#"):
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"{line[:80]!r} is no attribute with a value")
            if value.startswith(":"):
                value = base64.b64decode(value[1:].strip(), validate=True).decode()
            entry.setdefault(name.casefold(), []).append(value.strip())


def _unfolded(lines: Iterable[str]) -> list[str]:
    whole: list[str] = []
    for line in lines:
        if line.startswith(" ") and whole:
            whole[-1] += line[1:]
        else:
            whole.append(line)
    return whole
