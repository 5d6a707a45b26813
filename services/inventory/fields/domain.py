"""Rules of custom fields: what a definition may say, and which values keep it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from services.inventory.assets.domain import FieldValue
from shared.errors import Conflict, Malformed
from shared.events import GROUP
from shared.events.inventory import ComponentType, FieldChanged, FieldKind
from shared.resource import Day, Line, Resource

EXAMPLES: Mapping[FieldKind, str] = {
    "text": "rack A1",
    "number": "4",
    "date": "2026-03-01",
    "boolean": "true",
    "choice": "one of the choices",
}
_line: TypeAdapter[str] = TypeAdapter(Line)
_day: TypeAdapter[date] = TypeAdapter(Day)


class FieldDefinition(Resource):
    """A field that components of one type have. ``required`` is asked of those that are registered from now on."""

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b21"])
    component_type: ComponentType
    name: str = Field(examples=["rack_units"])
    label: str = Field(examples=["Height in the rack"])
    kind: FieldKind
    required: bool
    unit: str | None = Field(examples=["U"])
    minimum: float | None
    maximum: float | None
    choices: list[str] | None

    @property
    def site_id(self) -> str:
        """A definition belongs to no single site."""
        return GROUP


def check_definition(field: FieldDefinition) -> None:
    """Raises Malformed where limits, units or choices don't fit the kind."""
    if field.kind != "number":
        for name, given in (("unit", field.unit), ("minimum", field.minimum), ("maximum", field.maximum)):
            if given is not None:
                raise Malformed(name, f"is for numbers only, and {field.name} is a {field.kind}", "null")
    if field.minimum is not None and field.maximum is not None and field.minimum > field.maximum:
        raise Malformed("maximum", "must not be below the minimum", str(field.minimum))
    if (field.kind == "choice") != bool(field.choices):
        raise Malformed("choices", "must be given for a choice, and for nothing else", '["yes", "no"]')
    if field.choices and len(set(field.choices)) < len(field.choices):
        raise Malformed("choices", "must each stand once", '["yes", "no"]')


def check_kept(field: FieldDefinition, broken: int, what: str) -> None:
    """Raises Conflict with the number of components whose values a change would make invalid."""
    if broken:
        raise Conflict(
            f"{broken} components have a {field.name} that {what}; change those first", field=field.name, broken=broken
        )


def check_values(
    definitions: Sequence[FieldDefinition],
    given: Mapping[str, FieldValue],
    before: Mapping[str, FieldValue] | None = None,
) -> dict[str, FieldValue]:
    """The values in their one spelling. Raises Malformed for an unknown field, a wrong value or a missing one.

    ``before`` is what a component has already: of what is registered long since, a field that came to be required
    later is not demanded, but it stays once it is there.
    """
    known = {field.name: field for field in definitions}
    for name in given:
        if name not in known:
            raise Malformed("fields", f"{name} is no field of this type", ", ".join(sorted(known)) or "{}")
    for field in definitions:
        is_demanded = field.required and (before is None or field.name in before)
        if is_demanded and field.name not in given:
            raise Malformed("fields", f"{field.name} is required", f'{{"{field.name}": "{EXAMPLES[field.kind]}"}}')
    return {name: parse_value(known[name], value) for name, value in given.items()}


def parse_value(field: FieldDefinition, value: FieldValue) -> FieldValue:
    """A value in its one spelling. Raises Malformed with what the definition asks for."""
    try:
        return _parsed(field, value)
    except (ValueError, ValidationError) as exc:
        raise Malformed(f"fields.{field.name}", f"must be {_wanted(field)}", _example(field)) from exc


def value_from_text(field: FieldDefinition, text: str) -> FieldValue:
    """A value as it is written in an address or a cell. Raises Malformed."""
    typed: FieldValue = text
    if field.kind == "boolean" and text.lower() in ("true", "false"):
        typed = text.lower() == "true"
    elif field.kind == "number":
        try:
            typed = float(text)
        except ValueError:
            typed = text
    return parse_value(field, typed)


def _parsed(field: FieldDefinition, value: Any) -> FieldValue:
    match field.kind:
        case "number":
            return _within(field, value)
        case "boolean" if isinstance(value, bool):
            return value
        case "text" if isinstance(value, str):
            return _line.validate_python(value)
        case "date" if isinstance(value, str):
            return _day.validate_python(value).isoformat()
        case "choice" if value in (field.choices or ()):
            return str(value)
    raise ValueError(f"{field.kind} expected")


def _within(field: FieldDefinition, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number expected")
    low = float("-1e300") if field.minimum is None else field.minimum
    high = float("1e300") if field.maximum is None else field.maximum
    if not low <= value <= high:
        raise ValueError("outside the limits")
    return float(value)


def _wanted(field: FieldDefinition) -> str:
    if field.kind == "choice":
        return f"one of {', '.join(field.choices or ())}"
    if field.kind != "number":
        return {"text": "one line of text", "date": "a date", "boolean": "true or false"}[field.kind]
    limits = [f"at least {field.minimum:g}"] if field.minimum is not None else []
    limits += [f"at most {field.maximum:g}"] if field.maximum is not None else []
    return " ".join(["a number", *([f"of {field.unit}"] if field.unit else []), *[" and ".join(limits)]]).strip()


def _example(field: FieldDefinition) -> str:
    if field.choices:
        return field.choices[0]
    if field.kind != "number":
        return EXAMPLES[field.kind]
    inside = field.minimum if field.minimum is not None else field.maximum
    return EXAMPLES["number"] if inside is None else f"{inside:g}"


def full_state(field: FieldDefinition, deleted: bool = False) -> FieldChanged:
    """What ``field.changed`` tells of the definition."""
    return FieldChanged(**field.model_dump(exclude={"id"}), deleted=deleted)
