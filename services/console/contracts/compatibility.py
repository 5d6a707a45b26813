"""Tells what a change of the contracts would break for a consumer, or an event, of before."""

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]


def broken_promises(published: Json, current: Json) -> list[str]:
    """What the AsyncAPI document ``current`` takes back of what ``published`` promised; empty when it only adds.

    Allowed are new types, new versions, new fields at the end that have a default, and new words at the end of a list
    of words: who consumes is upgraded first, and what comes too early waits in quarantine to be replayed.
    """
    broken = []
    for name, message in published["components"]["messages"].items():
        now = current["components"]["messages"].get(name)
        if now is None:
            broken.append(f"{name}: the type is gone")
        elif _version(now) == _version(message):
            broken += [f"{name}: {what}" for what in _broken(_data(message), _data(now), published, current, "data")]
    return broken


def _version(message: Json) -> str:
    return str(message["payload"]["allOf"][1]["properties"]["dataschema"]["const"])


def _data(message: Json) -> Json:
    return dict(message["payload"]["allOf"][1]["properties"]["data"])


def _broken(old: Json, new: Json, published: Json, current: Json, at: str) -> Iterator[str]:
    old, new = _resolved(old, published), _resolved(new, current)
    fields, fields_now = old.get("properties"), new.get("properties")
    if fields is None or fields_now is None:
        if _shape(old) != _shape(new) and not _only_adds_words(_shape(old), _shape(new)):
            yield f"{at} has changed from {_shape(old)} to {_shape(new)}"
        yield from _broken_parts(old, new, published, current, at)
        return
    yield from (f"{at}.{name} is gone" for name in fields if name not in fields_now)
    if [name for name in fields_now if name in fields] != list(fields_now)[: len(fields.keys() & fields_now.keys())]:
        yield f"{at}: a new field does not stand at the end"
    for name in new.get("required", []):
        if name not in old.get("required", []):
            yield f"{at}.{name} has no default"
    for name in fields.keys() & fields_now.keys():
        yield from _broken(fields[name], fields_now[name], published, current, f"{at}.{name}")


def _broken_parts(old: Json, new: Json, published: Json, current: Json, at: str) -> Iterator[str]:
    for key in ("items", "additionalProperties"):
        if isinstance(old.get(key), Mapping) and isinstance(new.get(key), Mapping):
            yield from _broken(old[key], new[key], published, current, f"{at}[]")
    for key in ("anyOf", "prefixItems"):
        for before, now in zip(old.get(key, []), new.get(key, []), strict=False):
            yield from _broken(before, now, published, current, at)


def _only_adds_words(old: Json, new: Json) -> bool:
    before, now = old.get("enum"), new.get("enum")
    if not (isinstance(before, list) and isinstance(now, list)):
        return False
    return {**old, "enum": None} == {**new, "enum": None} and now[: len(before)] == before


def _shape(schema: Json) -> Json:
    """What of a field's schema may not change; the words about it, and a default, may."""
    shape = {key: value for key, value in schema.items() if key not in ("description", "default", "title", "examples")}
    for key in ("items", "additionalProperties"):
        if isinstance(shape.get(key), Mapping):
            shape[key] = "…"
    for key in ("anyOf", "prefixItems"):
        if key in shape:
            shape[key] = len(shape[key])
    return shape


def _resolved(schema: Json, document: Json) -> Json:
    reference = schema.get("$ref")
    return document["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema
