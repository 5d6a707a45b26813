"""Retrieve ATNA Audit Event (IHE ITI-81): a search of FHIR R4 for AuditEvents by time and by what they hold.

A search has two halves. What the index beside the log knows narrows it; then each AuditEvent that is made of what was
found is held against every parameter, so the index can only make it faster.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.compliance.export.fhir import ACTOR, REST, SYSTEMS
from services.compliance.export.mapping import APPLICATION_ACTIVITY, ROWS
from services.compliance.log.outcome import Outcome
from shared.errors import Malformed

Json = Mapping[str, Any]
Values = tuple["Token", ...]
"""The values of one parameter; one of them must be met."""

DATE = re.compile(
    r"(?P<prefix>eq|ge|le|gt|lt)?(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"(T(?P<time>\d\d:\d\d(:\d\d(\.\d{1,6})?)?)(?P<zone>Z|[+-]\d\d:\d\d))?)?)?"
)
DATE_EXAMPLE = "date=ge2026-03-01&date=le2026-03-31"
OUTCOMES: Mapping[str, Outcome] = {"0": 0, "4": 4, "8": 8, "12": 12}
OUTCOME_SYSTEM = "http://terminology.hl7.org/CodeSystem/audit-event-outcome"
ACTION_SYSTEM = "http://hl7.org/fhir/audit-event-action"


@dataclass(frozen=True, slots=True)
class Token:
    """``system|code``; a system of None stands for any, an empty one for none at all, a code of None for any."""

    system: str | None
    code: str | None

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Reads one value of a token parameter."""
        system, bar, code = text.partition("|")
        return cls(system, code or None) if bar else cls(None, text)

    def is_met_by(self, coding: Json) -> bool:
        """Whether a coding, or an identifier as one, is what is asked for."""
        has_system = self.system is None or self.system == (coding.get("system") or "")
        return has_system and self.code in (None, coding["code"])


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What the index is asked for; None leaves a part open. ``start`` is included, ``end`` is not."""

    start: datetime | None = None
    end: datetime | None = None
    site_id: str | None = None
    actor: str | None = None
    subject: str | None = None
    types: frozenset[str] | None = None
    outcomes: frozenset[Outcome] | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """A search as it was asked for: parameters all of which must be met, and the time."""

    tokens: tuple[tuple[str, Values], ...]
    start: datetime | None
    end: datetime | None

    def matches(self, event: Json) -> bool:
        """Whether the AuditEvent is what is sought; its time is the index's business."""
        return all(
            any(token.is_met_by(coding) for coding in CODINGS[name](event) for token in tokens)
            for name, tokens in self.tokens
        )

    @property
    def narrowing(self) -> Narrowing:
        """What of the search the index can answer."""
        return Narrowing(
            start=self.start,
            end=self.end,
            site_id=self._only("site", {None, ""}),
            actor=self._only("agent.identifier", {None, ACTOR}),
            subject=self._subject(),
            types=self._types(),
            outcomes=self._outcomes(),
        )

    def _lists(self, name: str) -> Iterator[Values]:
        return (tokens for one, tokens in self.tokens if one == name)

    def _only(self, name: str, systems: set[str | None]) -> str | None:
        """The one value that a parameter must have."""
        for tokens in self._lists(name):
            if len(tokens) == 1 and tokens[0].system in systems:
                return tokens[0].code
        return None

    def _subject(self) -> str | None:
        return next((t[0].code for t in self._lists("entity.identifier") if len(t) == 1), None)

    def _types(self) -> frozenset[str] | None:
        possible: frozenset[str] | None = None
        found = [*map(_types_by_subtype, self._lists("subtype")), *map(_types_by_type, self._lists("type"))]
        for types in found:
            if types is not None:
                possible = types if possible is None else possible & types
        return possible

    def _outcomes(self) -> frozenset[Outcome] | None:
        for tokens in self._lists("outcome"):
            return frozenset(OUTCOMES[code] for code in OUTCOMES if code in {token.code for token in tokens})
        return None


def _types_by_subtype(tokens: Values) -> frozenset[str] | None:
    """Steward's own types, if no other vocabulary can be meant: theirs alone have a dot."""
    codes = {token.code for token in tokens if token.code and "." in token.code}
    return frozenset(code for code in codes if code) if len(codes) == len(set(tokens)) else None


def _types_by_type(tokens: Values) -> frozenset[str] | None:
    """The types whose event is sought; None where one that is not in the table may be."""
    if any(
        token.is_met_by(_coding(SYSTEMS[APPLICATION_ACTIVITY.system], APPLICATION_ACTIVITY.value)) for token in tokens
    ):
        return None
    return frozenset(
        name
        for name, row in ROWS.items()
        for token in tokens
        if token.is_met_by(_coding(SYSTEMS[row.event.system], row.event.value))
        or (row.by_request and token.is_met_by(REST))
    )


def _coding(system: str | None, code: str) -> Json:
    return {"system": system, "code": code}


def _identifier(reference: Json) -> Iterator[Json]:
    identifier = reference.get("identifier")
    if identifier:
        yield _coding(identifier.get("system"), identifier["value"])


CODINGS: Mapping[str, Callable[[Json], Sequence[Json]]] = {
    "type": lambda event: [event["type"]],
    "subtype": lambda event: event["subtype"],
    "action": lambda event: [_coding(ACTION_SYSTEM, event["action"])],
    "outcome": lambda event: [_coding(OUTCOME_SYSTEM, event["outcome"])],
    "site": lambda event: [_coding(None, event["source"]["site"])],
    "agent.identifier": lambda event: [one for agent in event["agent"] for one in _identifier(agent["who"])],
    "entity.identifier": lambda event: [one for entity in event["entity"] for one in _identifier(entity["what"])],
    "source.identifier": lambda event: list(_identifier(event["source"]["observer"])),
    "entity-type": lambda event: [entity["type"] for entity in event["entity"]],
    "entity-role": lambda event: [entity["role"] for entity in event["entity"]],
    "address": lambda event: [],
    "patient.identifier": lambda event: [],
}
"""What each parameter looks at. Steward records no network addresses and nothing of patients: these find nothing."""


def parse_search(parameters: Sequence[tuple[str, str]]) -> Search:
    """Reads the parameters of a search, ``date`` and those of CODINGS. Raises Malformed."""
    start: datetime | None = None
    end: datetime | None = None
    tokens = []
    for name, value in parameters:
        if name == "date":
            earliest, latest = parse_date(value)
            start = earliest if start is None else max(start, earliest or start)
            end = latest if end is None else min(end, latest or end)
        else:
            tokens.append((name, tuple(Token.parse(text) for text in _alternatives(value))))
    if start is None and end is None:
        raise Malformed("date", "must be given, for ITI-81 searches a time", DATE_EXAMPLE)
    return Search(tuple(tokens), start, end)


def parse_date(text: str) -> tuple[datetime | None, datetime | None]:
    """The time that a date parameter leaves, from the first instant up to, without, the second. Raises Malformed.

    A date stands for all of its year, month, day, minute, second or fraction (FHIR R4, search, 3.1.1.4.7).
    """
    match = DATE.fullmatch(text)
    try:
        first, after = _span(match) if match else (None, None)
    except (ValueError, OverflowError):
        first = after = None
    if match is None or first is None or after is None:
        raise Malformed("date", "must be a date of FHIR with eq, ge, le, gt or lt, a time with its zone", DATE_EXAMPLE)
    bounds = {"ge": (first, None), "gt": (after, None), "le": (None, after), "lt": (None, first)}
    return bounds.get(match["prefix"] or "eq", (first, after))


def _span(match: re.Match[str]) -> tuple[datetime, datetime]:
    year, month, day = int(match["year"]), int(match["month"] or 1), int(match["day"] or 1)
    first = datetime(year, month, day, tzinfo=UTC)
    if match["time"]:
        first = datetime.fromisoformat(f"{first:%Y-%m-%d}T{match['time']}{match['zone']}").astimezone(UTC)
        return first, first + _precision(match["time"])
    if match["day"]:
        return first, first + timedelta(days=1)
    if match["month"]:
        return first, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return first, datetime(year + 1, 1, 1, tzinfo=UTC)


def _precision(time: str) -> timedelta:
    _, point, fraction = time.partition(".")
    if point:
        return timedelta(microseconds=10 ** (6 - len(fraction)))
    return timedelta(seconds=1) if time.count(":") == 2 else timedelta(minutes=1)


def _alternatives(value: str) -> list[str]:
    """The values between commas; a backslash takes a comma, a bar or a dollar as itself (FHIR R4, search, 3.1.1.5)."""
    return [re.sub(r"\\([,|$\\])", r"\1", part) for part in re.findall(r"((?:[^,\\]|\\.)+)", value)] or [""]
