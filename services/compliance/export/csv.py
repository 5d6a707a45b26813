"""Entries as a table for a spreadsheet: RFC 4180, UTF-8, a header, and nothing in it that a spreadsheet would run."""

from collections.abc import Sequence

from services.compliance.export.domain import AuditRecord, Gap

COLUMNS = (
    *("index", "site_id", "site_sequence", "recorded_at", "time", "type", "subject", "action", "outcome", "actor"),
    *("service", "reason", "correlation_id", "event_id", "leaf_hash"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins so may be run as a formula; an apostrophe in front makes it text."""

NEEDS_QUOTES = frozenset(',"\r\n')
HEADER = ",".join(COLUMNS) + "\r\n"


def row(record: AuditRecord) -> str:
    """The record as a line of the table."""
    cells = (
        *(record.index, record.site_id, record.site_sequence, record.recorded_at.isoformat(), record.time.isoformat()),
        *(record.kinds[-1].value, record.subject.id, record.action, record.outcome, record.participants[0].actor),
        *(record.service, record.reason or "", record.correlation_id, record.event_id),
        record.leaf_hash.hex(),
    )
    return ",".join(_cell(str(cell)) for cell in cells) + "\r\n"


def _cell(text: str) -> str:
    safe = f"'{text}" if text.startswith(FORMULA) else text
    return '"' + safe.replace('"', '""') + '"' if NEEDS_QUOTES & set(safe) else safe


def closing_row(entries: int, gaps: Sequence[Gap]) -> str:
    """The row behind the last of ``entries``, with what was pruned; a table without it was cut."""
    told = "; ".join(f"entries {gap.first} to {gap.end - 1} were pruned, see {gap.location}" for gap in gaps)
    return f"complete,{entries} entries,{_cell(told)}{',' * (len(COLUMNS) - 3)}\r\n"
