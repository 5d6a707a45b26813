"""Rules of history: what changed between two states, and which things of two systems stand for each other."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Instant

State = Mapping[str, Any]
"""A thing as the API shows it."""

OWN_TO_ONE = frozenset(
    {
        "id",
        "version",
        "site_id",
        "system_id",
        "name",
        "state",
        "environment",
        "mirrors",
        "serial",
        "asset_tag",
        "purchase_date",
        "installed_on",
        "installed_in",
        "warranty_until",
        "ae_title",
        "host",
        "usage",
    }
)
"""Fields in which a system and the one that mirrors it differ by their nature."""


class Kept(Protocol):
    """A resource whose changes are kept."""

    @property
    def id(self) -> str:
        """Its id, one for ever."""

    @property
    def site_id(self) -> str:
        """Its site, or ``GROUP`` for what belongs to no single one."""

    @property
    def version(self) -> int:
        """Counts its changes."""

    def model_dump_json(self) -> str:
        """The thing as the API shows it."""


class FieldChange(BaseModel):
    """One field that differs; ``path`` leads to it with dots. A side without the field has null."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(examples=["software.version"])
    before: Any = Field(examples=["5.2.1"])
    after: Any = Field(examples=["5.3.0"])


class Revision(BaseModel):
    """A change as it was made. ``before`` is null for what was made, ``after`` for what was taken away."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str = Field(examples=["component"])
    thing_id: str
    version: int
    site_id: str = Field(examples=["north"])
    at: Instant
    actor: str = Field(examples=["alice"])
    reason: str | None = Field(examples=["new battery"])
    correlation_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    changes: list[FieldChange] = []


class Standing(BaseModel):
    """A thing as it stood at some time."""

    model_config = ConfigDict(frozen=True)

    kind: str
    thing_id: str
    version: int
    site_id: str
    at: Instant = Field(description="since when it stood so")
    state: dict[str, Any]


class Touched(BaseModel):
    """A thing that was changed between two times, as it stood at both; None where it was not there."""

    kind: str
    thing_id: str
    before: Standing | None
    after: Standing | None


class Difference(BaseModel):
    """One thing that differs between two times, or between two systems."""

    model_config = ConfigDict(frozen=True)

    kind: str
    name: str | None
    before_id: str | None
    after_id: str | None
    what: Literal["added", "removed", "changed"]
    changes: list[FieldChange]


def changes_between(before: State, after: State, ignored: frozenset[str] = frozenset({"version"})) -> list[FieldChange]:
    """The fields that differ, by path; lists count as one value. ``ignored`` names fields of the top level."""
    return list(_changes(before, after, "", ignored))


def _changes(before: State, after: State, prefix: str, ignored: frozenset[str]) -> Iterator[FieldChange]:
    for name in sorted((before.keys() | after.keys()) - ignored):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _changes(old, new, f"{prefix}{name}.", frozenset())
        elif old != new:
            yield FieldChange(path=f"{prefix}{name}", before=old, after=new)


def with_changes(revision: Revision) -> Revision:
    """The revision with the fields in which its two states differ."""
    if revision.before is None or revision.after is None:
        return revision
    return revision.model_copy(update={"changes": changes_between(revision.before, revision.after)})


def difference_in_time(thing: Touched) -> Difference | None:
    """How a thing differs between two times; None when it doesn't, since a change was taken back."""
    before, after = thing.before, thing.after
    changes = changes_between(before.state, after.state) if before and after else []
    if not changes and (before is None) == (after is None):
        return None
    return _difference(before, after, changes)


def difference_of_systems(before: Sequence[Standing], after: Sequence[Standing]) -> list[Difference]:
    """How the things of one system differ from those of another, such as staging from production.

    Things stand for each other when they are of the same kind and type (role, for nodes): first those of the same name,
    then in the order of model and name. What is a system's own by nature (ids, serial numbers) is not compared.
    """
    found = []
    for left, right in pairs(before, after):
        changes = changes_between(left.state, right.state, OWN_TO_ONE) if left and right else []
        if changes or not (left and right):
            found.append(_difference(left, right, changes))
    return found


def pairs(before: Sequence[Standing], after: Sequence[Standing]) -> list[tuple[Standing | None, Standing | None]]:
    """Each thing of one system with what stands for it in the other; each thing occurs once."""
    made: list[tuple[Standing | None, Standing | None]] = []
    for group in sorted({_group(thing) for thing in (*before, *after)}):
        left = _ordered(thing for thing in before if _group(thing) == group)
        right = _ordered(thing for thing in after if _group(thing) == group)
        named = {_name(thing): thing for thing in reversed(right)}
        same = [(thing, named.pop(_name(thing))) for thing in left if _name(thing) in named]
        made += same
        made += zip_longest(
            _without(left, {one.thing_id for one, _ in same}), _without(right, {other.thing_id for _, other in same})
        )
    return made


def _without(things: Iterable[Standing], paired: Collection[str]) -> Iterator[Standing | None]:
    return (thing for thing in things if thing.thing_id not in paired)


def _group(thing: Standing) -> tuple[str, str]:
    return thing.kind, str(thing.state.get("type") or thing.state.get("role") or "")


def _ordered(things: Iterable[Standing]) -> list[Standing]:
    return sorted(things, key=lambda thing: (str(thing.state.get("model") or ""), _name(thing) or "", thing.thing_id))


def _name(thing: Standing) -> str | None:
    name = thing.state.get("name")
    return None if name is None else str(name)


def _difference(before: Standing | None, after: Standing | None, changes: list[FieldChange]) -> Difference:
    shown = only(after, before)
    return Difference(
        kind=shown.kind,
        name=_name(shown),
        before_id=before and before.thing_id,
        after_id=after and after.thing_id,
        what="changed" if before and after else "added" if after else "removed",
        changes=changes,
    )


T = TypeVar("T")


def only(first: T | None, second: T | None) -> T:
    """The first that is there. Raises ValueError when neither is: nothing changes from nothing to nothing."""
    thing = first if first is not None else second
    if thing is None:
        raise ValueError("a change has a state before or after it")
    return thing
