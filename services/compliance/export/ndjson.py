"""Entries as lines of JSON: each is an answer of the audit trail, and the last line says that nothing was left out.

``{"complete":true,"entries":N}`` closes a whole export. A file without it was cut. It names what was pruned, where
anything was.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from services.compliance.export.domain import Gap, ShownEntry
from services.compliance.log.entry import format_time, parse_entry

LINE_BREAKS = frozenset(b"\r\n")


def line(shown: ShownEntry) -> bytes:
    """The entry as the audit trail answers it, with the event's own text, its spaces and the order of its members.

    An event that was written in several lines has them joined, and ``entry`` has the exact bytes in Base64.
    """
    entry = parse_entry(shown.raw)
    head = {
        "index": shown.index,
        "site_id": entry.site_id,
        "site_sequence": entry.site_sequence,
        "recorded_at": format_time(entry.recorded_at),
        "leaf_hash": b64encode(shown.leaf_hash).decode(),
    }
    if LINE_BREAKS & set(entry.event):
        head["entry"] = b64encode(shown.raw).decode()
    in_one_line = entry.event.replace(b"\r", b" ").replace(b"\n", b" ")
    return b'%s,"event":%s}\n' % (json.dumps(head, separators=(",", ":")).encode()[:-1], in_one_line)


def closing_line(entries: int, gaps: Sequence[Gap]) -> bytes:
    """The line behind the last of ``entries``."""
    told: dict[str, Any] = {"complete": True, "entries": entries}
    if gaps:
        told["pruned"] = [asdict(gap) for gap in gaps]
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"
