"""Entries made of the golden samples of all events, as the log would hold them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.compliance.export.domain import ShownEntry
from services.compliance.log.entry import Entry, build_entry
from services.compliance.log.tree import leaf_hash

FOLDER = Path(__file__).parents[3] / "contract/events/samples"
SAMPLES = sorted(FOLDER.glob("*.json"))
RECORDED_AT = datetime(2026, 3, 1, 21, 14, 6, tzinfo=UTC)


def shown(raw_event: bytes, index: int = 4711, sequence: int = 12) -> ShownEntry:
    """The event as an entry of its site."""
    site_id = json.loads(raw_event)["siteid"]
    raw = build_entry(Entry(site_id, sequence, RECORDED_AT + timedelta(seconds=index - 4711), raw_event))
    return ShownEntry(index, raw, leaf_hash(raw))


def sample(event_type: str, **changed: Any) -> ShownEntry:
    """The first golden sample of a type; ``changed`` members of its envelope, or of its data as ``data__name``."""
    return sample_at(FOLDER / f"{event_type}.1.json", **changed)


def sample_at(path: Path, **changed: Any) -> ShownEntry:
    """A golden sample, changed in the same way."""
    event = json.loads(path.read_bytes())
    for name, value in changed.items():
        outer, _, inner = name.partition("__")
        if inner:
            event[outer][inner] = value
        else:
            event[outer] = value
    return shown(json.dumps(event, separators=(",", ":")).encode())
