"""Rules of restoring: how far a list can make a thing again that it tells of, under the id that it had. Pure."""

from collections.abc import Mapping
from typing import Any

from services.inventory.assets.domain import StartState
from services.inventory.exports.columns import AN_ID
from services.inventory.imports.references import is_id
from shared.errors import Malformed

RESTORED: Mapping[str, StartState] = {
    **dict.fromkeys(("proposed", "planned", "procured", "staged", "commissioning"), "proposed"),
    **dict.fromkeys(("in_service", "maintenance", "degraded", "retiring"), "in_service"),
}
"""The state in which an asset begins again, by the one that it was in: what it had earned, it has to prove anew."""


def restored_id(values: Mapping[str, Any]) -> str | None:
    """The id that a thing is to have again, if its row gives one. Raises Malformed."""
    told = values.get("id")
    if told is not None and not is_id(told):
        raise Malformed("id", "must be an id as an export writes it", AN_ID)
    return None if told is None else str(told).lower()


def as_restored(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with which a thing begins again. Raises Malformed for an asset that has left service behind it."""
    state = values.get("state")
    if state is None:
        return dict(values)
    if state not in RESTORED:
        rule = f"is {state}, which a list can't prove: a backup brings it back, with its evidence"
        raise Malformed("state", rule, "in_service")
    return {**values, "state": RESTORED[state]}
