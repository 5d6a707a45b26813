"""Writes docs/probe-kinds.md from the kinds themselves: ``python -m services.probes.kinds.publish``."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.probes.conformance.dicom_conformance import OF_SUITES
from services.probes.kinds import KINDS
from services.probes.kinds.asking import NETWORK_FAILURES, TLS_FAILURES
from services.probes.kinds.domain import Kind, Measure

PAGE = Path(__file__).parents[3] / "docs" / "probe-kinds.md"
HEAD = """# Kinds of probes

What a check can ask, what its settings are, which numbers it tells, and the words that its `failure` may be. This page
is written by `.venv/bin/python -m services.probes.kinds.publish` from the code; `GET /probes/v1/kinds` has the same as
JSON Schema.

A password, a token, a key or a certificate is a secret, and a setting holds its name alone: the value is a file of that
name in the folder `STEWARD_PROBE_SECRETS` of the replica or the agent that runs the check. It begins with the name of
the check's site (`north.pacs-password`), or with `group.` where a group-admin makes the check. A missing one is a
`probe_error` that names the file. The limits of a measure hold where a check sets no others; *learned* ones come from
what was usual before.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_shared_failures(), *(line for kind in (*KINDS, *OF_SUITES) for line in _kind(kind))])


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page())


def _shared_failures() -> Iterator[str]:
    yield "## Failures of the network\n\nKinds that ask over a network share these words.\n"
    yield from _table(("failure", "means"), (NETWORK_FAILURES | TLS_FAILURES).items())


def _kind(kind: type[Kind[Any]]) -> Iterator[str]:
    heavy = " One run at a time for each system: it moves much." if kind.is_heavy else ""
    when = "For items of suites only." if kind in OF_SUITES else f"Every {_interval(kind.interval)} by default."
    yield f"## {kind.name}\n\n{kind.summary} {when}{heavy}\n"
    schema = kind.settings.model_json_schema()
    required = schema.get("required", [])
    settings = ((name, _about(name, about, required)) for name, about in schema["properties"].items())
    yield from _table(("setting", "means"), settings)
    if kind.measures:
        yield from _table(("measure", "means"), ((name, _measure(one)) for name, one in kind.measures.items()))
    own = {word: what for word, what in kind.failures.items() if word not in NETWORK_FAILURES | TLS_FAILURES}
    if own:
        yield from _table(("failure", "means"), own.items())


def _table(head: tuple[str, str], rows: Any) -> Iterator[str]:
    yield f"| {head[0]} | {head[1]} |\n| --- | --- |"
    for name, what in rows:
        yield f"| `{name}` | {what.replace('|', '&#124;')} |"
    yield ""


def _about(name: str, about: Mapping[str, Any], required: list[str]) -> str:
    what = about.get("description") or name.replace("_", " ")
    if name in required:
        return f"{what}; required"
    default = about.get("default")
    return what if default in (None, "", [], {}) else f"{what}; by default `{_value(default)}`"


def _value(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def _measure(measure: Measure) -> str:
    limits = [f"{level} {'above' if measure.worse == 'higher' else 'below'} {limit:g}" for level, limit in
              (("warning", measure.warning), ("critical", measure.critical)) if limit is not None]  # fmt: skip
    limits += ["learned"] * measure.baseline
    unit = f" ({measure.unit})" if measure.unit else ""
    return "; ".join([f"{measure.summary}{unit}", *limits])


def _interval(interval: timedelta) -> str:
    seconds = int(interval.total_seconds())
    for size, word in ((3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {word}"
    return f"{seconds} s"


if __name__ == "__main__":
    main()
