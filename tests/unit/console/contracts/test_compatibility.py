"""Which changes of a contract break a promise."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, create_model

from services.console.contracts.asyncapi import Json, asyncapi_document
from services.console.contracts.compatibility import broken_promises
from shared.events import CONTRACTS, EventData


class Part(BaseModel):
    """A nested model."""

    name: str


BEFORE: dict[str, Any] = {
    "title": (str, ...),
    "count": (int, ...),
    "parts": (list[Part], ...),
    "note": (str | None, None),
}


def document(fields: dict[str, Any], version: int = 1) -> Json:
    """The AsyncAPI document of one contract with these fields."""
    known = dict(CONTRACTS)
    try:
        arguments = {"event_type": "thing.changed", "version": version}
        contract = create_model("ThingChanged", __base__=EventData, __cls_kwargs__=arguments, **fields)
    finally:
        CONTRACTS.clear()
        CONTRACTS.update(known)
    return asyncapi_document({"thing.changed": contract})


def renamed(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with one of another name in the same place."""
    return {("name" if name == "title" else name): field for name, field in fields.items()}


def test_no_change_breaks_nothing() -> None:
    """A document keeps its own promises."""
    assert broken_promises(document(BEFORE), document(BEFORE)) == []


def test_a_field_with_a_default_may_be_added_at_the_end() -> None:
    """Consumers of before ignore it; events of before lack it."""
    assert broken_promises(document(BEFORE), document(BEFORE | {"added": (int, 0)})) == []


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ({name: field for name, field in BEFORE.items() if name != "count"}, "thing.changed: data.count is gone"),
        (renamed(BEFORE), "thing.changed: data.title is gone"),
        (BEFORE | {"added": (int, ...)}, "thing.changed: data.added has no default"),
        ({"added": (int, 0)} | BEFORE, "thing.changed: data: a new field does not stand at the end"),
        (BEFORE | {"note": (str, ...)}, "thing.changed: data.note has no default"),
    ],
)
def test_a_field_removed_renamed_required_or_put_between_is_told(after: dict[str, Any], told: str) -> None:
    """Each of these makes a consumer, or an event, of before unreadable."""
    assert told in broken_promises(document(BEFORE), document(after))


def test_another_type_of_a_field_is_told() -> None:
    """Even where both would be numbers."""
    [told] = broken_promises(document(BEFORE), document(BEFORE | {"count": (float, ...)}))
    assert told.startswith("thing.changed: data.count has changed from {'type': 'integer'}")


def test_a_list_of_words_may_grow_at_its_end_only() -> None:
    """No word goes, is replaced or moves, and other texts don't become allowed; also inside a list."""
    for field in (Literal["a", "b"], list[Literal["a", "b"]]):
        before = document(BEFORE | {"words": (field, ...)})
        grown: Any = Literal["a", "b", "c"] if field is Literal["a", "b"] else list[Literal["a", "b", "c"]]
        assert broken_promises(before, document(BEFORE | {"words": (grown, ...)})) == []
    before = document(BEFORE | {"words": (Literal["a", "b"], ...)})
    for other in (Literal["b", "a"], Literal["a"], Literal["a", "c"], Literal["c", "a", "b"], str):
        [told] = broken_promises(before, document(BEFORE | {"words": (other, ...)}))
        assert told.startswith("thing.changed: data.words has changed from")


def test_a_change_inside_a_nested_model_is_told() -> None:
    """The promise reaches as deep as the data."""
    other: Any = create_model("Part", label=(str, ...))
    told = broken_promises(document(BEFORE), document(BEFORE | {"parts": (list[other], ...)}))
    assert "thing.changed: data.parts[].name is gone" in told


def test_a_new_version_may_change_everything() -> None:
    """It has a name of its own."""
    assert broken_promises(document(BEFORE), document({"all": (str, ...)}, version=2)) == []


def test_a_type_that_is_gone_is_told() -> None:
    """Somebody may wait for it."""
    assert broken_promises(document(BEFORE), asyncapi_document({})) == ["thing.changed: the type is gone"]
