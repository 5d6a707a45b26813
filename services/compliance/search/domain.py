"""What can be asked of the audit trail, and what an answer shows."""

import json
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.compliance.log.entry import parse_entry
from shared.events import Instant

Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries are sought; None leaves a part open. ``visible`` are the sites that the asker may see, None all.

    ``from_time`` is included and ``to_time`` is not; both are of the event's own time.
    """

    visible: Set[str] | None
    site_id: str | None = None
    type: str | None = None
    not_types: Set[str] | None = None
    subject: str | None = None
    actor: str | None = None
    correlation_id: str | None = None
    from_time: datetime | None = None
    to_time: datetime | None = None


class AuditedEvent(BaseModel):
    """An event in the audit trail, with its place there. ``leaf_hash`` is that of the entry, in Base64."""

    index: int = Field(examples=[4711])
    site_id: str = Field(examples=["north"])
    site_sequence: int = Field(examples=[12])
    recorded_at: Instant
    leaf_hash: str = Field(examples=["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="])
    event: dict[str, Any]


def show_entry(index: int, raw: bytes, leaf_hash: str) -> AuditedEvent:
    """The entry for people: its header's fields, and its event as JSON."""
    entry = parse_entry(raw)
    return AuditedEvent(
        index=index,
        site_id=entry.site_id,
        site_sequence=entry.site_sequence,
        recorded_at=entry.recorded_at,
        leaf_hash=leaf_hash,
        event=json.loads(entry.event),
    )
