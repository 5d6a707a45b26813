"""Rules of groups: a name that is one among its neighbours, and no group inside itself."""

from collections.abc import Sequence

from pydantic import Field

from shared.errors import Conflict
from shared.events import GROUP
from shared.events.inventory import GroupChanged
from shared.resource import Resource


class Group(Resource):
    """Sites that are looked at together; within another group, or at the top."""

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b20"])
    name: str = Field(examples=["Western region"])
    parent_id: str | None

    @property
    def site_id(self) -> str:
        """A group belongs to no single site."""
        return GROUP


def check_nesting(group: Group, ancestors: Sequence[Group]) -> None:
    """Raises Conflict when the group would be inside itself, naming the way round.

    ``ancestors`` are the parent it is to have, that one's parent, and so on to the top.
    """
    names = [group.name]
    for ancestor in ancestors:
        names.append(ancestor.name)
        if ancestor.id == group.id:
            raise Conflict(f"the group would be inside itself: {' in '.join(names)}", cycle=names)


def check_empty(group: Group, children: Sequence[str], sites: Sequence[str]) -> None:
    """Raises Conflict naming what is still in a group that is to be deleted."""
    if children or sites:
        raise Conflict(
            f"group {group.name} is not empty: {', '.join([*children, *sites])}",
            groups=list(children),
            sites=list(sites),
        )


def full_state(group: Group, deleted: bool = False) -> GroupChanged:
    """What ``group.changed`` tells of the group."""
    return GroupChanged(name=group.name, parent_id=group.parent_id, deleted=deleted, version=group.version)
