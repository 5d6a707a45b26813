"""Which values keep a definition."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.assets.domain import FieldValue
from services.inventory.fields.domain import FieldDefinition, check_values, parse_value, value_from_text
from shared.errors import Malformed

values = st.one_of(st.booleans(), st.floats(), st.text(max_size=30))


def definition(kind: str, **more: object) -> FieldDefinition:
    """A field of servers."""
    plain = {"id": "f", "version": 1, "component_type": "server", "name": "field", "label": "Field", "required": False}
    nothing = dict.fromkeys(("unit", "minimum", "maximum", "choices"))
    return FieldDefinition.model_validate(plain | nothing | {"kind": kind} | more)


@given(values, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_numbers_stay_within_their_limits(value: FieldValue, one: float, other: float) -> None:
    """Nothing but a number that lies between them is taken."""
    low, high = sorted((one, other))
    field = definition("number", minimum=low, maximum=high)
    if isinstance(value, float) and low <= value <= high:
        assert parse_value(field, value) == value
    else:
        with pytest.raises(Malformed):
            parse_value(field, value)


@given(values)
def test_what_is_taken_is_taken_again(value: FieldValue) -> None:
    """The stored value of each kind is valid, and reading it again changes nothing."""
    for kind, more in (("text", {}), ("date", {}), ("boolean", {}), ("choice", {"choices": ["a"]}), ("number", {})):
        field = definition(kind, **more)
        try:
            stored = parse_value(field, value)
        except Malformed:
            continue
        assert parse_value(field, stored) == stored


@given(st.one_of(st.booleans(), st.floats(-1e9, 1e9), st.dates(min_value=date(1970, 1, 1))))
def test_value_can_be_written_in_an_address(value: object) -> None:
    """As text it is the same value."""
    kind = "boolean" if isinstance(value, bool) else "number" if isinstance(value, float) else "date"
    text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)
    if kind != "date" or text < "2200":
        read = value_from_text(definition(kind), text)
        assert read == (text if kind == "date" else value)


def test_required_is_asked_of_what_is_new_and_of_what_had_it() -> None:
    """What was there before without the field may stay so."""
    field = definition("text", required=True)
    for before in (None, {"field": "x"}):
        with pytest.raises(Malformed):
            check_values([field], {}, before)
    assert check_values([field], {}, {}) == {}
    with pytest.raises(Malformed):
        check_values([field], {"other": "x"}, {})
