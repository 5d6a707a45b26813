"""The schema of audit messages (PS3.15 §A.5.1.1), as far as messages without studies need it: order, counts, values.

Each element has its attributes, required or not, with what they may hold, and its children in order with their counts.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

Check = Callable[[str], Any]
ANY = (0, None)
ONE = (1, 1)
OPTIONAL = (0, 1)


def one_of(*values: object) -> Check:
    """A check that refuses all but ``values``."""
    allowed = {str(value) for value in values}

    def check(text: str) -> None:
        if text not in allowed:
            raise ValueError(f"{text} is none of {sorted(allowed)}")

    return check


def is_token(text: str) -> None:
    """Raises ValueError for what xsd:token can't be."""
    if re.search(r"[\t\n\r]|^ | $|  ", text):
        raise ValueError(f"{text!r} is no token")


def is_base64(text: str) -> None:
    """Raises ValueError."""
    b64decode(text, validate=True)


@dataclass(frozen=True)
class Rule:
    """What one element may hold: attributes with their checks, children in order with least and most counts."""

    required: dict[str, Check] = field(default_factory=dict)
    optional: dict[str, Check] = field(default_factory=dict)
    children: tuple[tuple[str, tuple[int, int | None]], ...] = ()
    has_text: bool = False


CODED = Rule({"csd-code": is_token, "codeSystemName": is_token, "originalText": is_token}, {"displayName": is_token})
RULES = {
    "AuditMessage": Rule(
        children=(
            ("EventIdentification", ONE),
            ("ActiveParticipant", (1, None)),
            ("AuditSourceIdentification", ONE),
            ("ParticipantObjectIdentification", ANY),
        )
    ),
    "EventIdentification": Rule(
        {"EventDateTime": datetime.fromisoformat, "EventOutcomeIndicator": one_of(0, 4, 8, 12)},
        {"EventActionCode": one_of(*"CRUDE")},
        (("EventID", ONE), ("EventTypeCode", ANY), ("EventOutcomeDescription", OPTIONAL)),
    ),
    "EventID": CODED,
    "EventTypeCode": CODED,
    "EventOutcomeDescription": Rule(has_text=True),
    "ActiveParticipant": Rule(
        {"UserID": str, "UserIsRequestor": one_of("true", "false", 0, 1)},
        {
            "AlternativeUserID": str,
            "UserName": str,
            "NetworkAccessPointID": is_token,
            "NetworkAccessPointTypeCode": one_of(*range(1, 6)),
        },
        (("RoleIDCode", ANY), ("MediaIdentifier", OPTIONAL)),
    ),
    "RoleIDCode": CODED,
    "AuditSourceIdentification": Rule(
        {"AuditSourceID": is_token}, {"AuditEnterpriseSiteID": is_token}, (("AuditSourceTypeCode", ANY),)
    ),
    "AuditSourceTypeCode": Rule({"csd-code": one_of(*range(1, 10))}),
    "ParticipantObjectIdentification": Rule(
        {"ParticipantObjectID": is_token},
        {
            "ParticipantObjectTypeCode": one_of(*range(1, 5)),
            "ParticipantObjectTypeCodeRole": one_of(*range(1, 27)),
            "ParticipantObjectDataLifeCycle": one_of(*range(1, 16)),
            "ParticipantObjectSensitivity": is_token,
        },
        (
            ("ParticipantObjectIDTypeCode", ONE),
            ("ParticipantObjectName", ONE),
            ("ParticipantObjectDetail", ANY),
            ("ParticipantObjectDescription", ANY),
        ),
    ),
    "ParticipantObjectIDTypeCode": CODED,
    "ParticipantObjectName": Rule(has_text=True),
    "ParticipantObjectDetail": Rule({"type": is_token, "value": is_base64}),
}


def faults(element: Element) -> Iterator[str]:
    """What the schema refuses of an element and all that it holds."""
    rule = RULES.get(element.tag)
    if rule is None:
        yield f"{element.tag} is no element of the schema"
        return
    known = rule.required | rule.optional
    yield from (f"{element.tag} has no {name}" for name in rule.required if name not in element.attrib)
    for name, value in element.attrib.items():
        try:
            known[name](value)
        except (KeyError, ValueError) as exc:
            yield f"{element.tag}/@{name}: {exc!r}"
    if (element.text or "").strip() and not rule.has_text:
        yield f"{element.tag} has text"
    yield from _out_of_order(element, rule)
    for child in element:
        yield from faults(child)


def _out_of_order(element: Element, rule: Rule) -> Iterator[str]:
    names = [child.tag for child in element]
    order = [name for name, _ in rule.children]
    if sorted(names, key=lambda name: order.index(name) if name in order else -1) != names:
        yield f"{element.tag} holds {names}, and the order is {order}"
    for name, (least, most) in rule.children:
        count = names.count(name)
        if count < least or (most is not None and count > most):
            yield f"{element.tag} holds {count} {name}"
    yield from (f"{element.tag} may not hold {name}" for name in set(names) - set(order))
