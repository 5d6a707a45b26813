"""What an event type promises: its data, its version, its topic.

A contract is a Pydantic model with the class keyword ``event_type``. New fields go at the end with a default; any
other change is a new version. The topic is declared in the same place, because topic = type.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer, StringConstraints

CONTRACTS: dict[str, type["EventData"]] = {}

SITE_ID = r"[a-z][a-z0-9-]{0,62}"
SiteId = Annotated[str, StringConstraints(pattern=f"^{SITE_ID}$")]
"""A site's short name, as it stands in tokens, URLs and the audit log: ``north``."""

GROUP = "group"
"""The site id of events that belong to the whole group and to no single site."""

Instant = Annotated[
    AwareDatetime,
    PlainSerializer(lambda value: value.isoformat().replace("+00:00", "Z"), return_type=str, when_used="json"),
]
"""An instant in UTC, written as RFC 3339 with ``Z``."""


@dataclass(frozen=True)
class Topic:
    """How the bus keeps one type. A compacted topic keeps the newest event of each subject for ever."""

    name: str
    partitions: int
    retention: timedelta
    compacted: bool


class EventData(BaseModel):
    """Base of all contracts. Consumers ignore fields that they don't know."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_type: ClassVar[str]
    schema_version: ClassVar[int]
    topic: ClassVar[Topic]
    _dataschema: ClassVar[str]

    def __init_subclass__(
        cls,
        *,
        event_type: str | None = None,
        version: int = 1,
        partitions: int = 3,
        retention: timedelta = timedelta(days=14),
        compacted: bool = False,
        **config: Any,
    ) -> None:
        super().__init_subclass__(**config)
        if event_type is not None:
            cls.event_type = event_type
            cls.schema_version = version
            cls.topic = Topic(event_type, partitions, retention, compacted)
            cls._dataschema = f"urn:steward:{event_type}:{version}"
            CONTRACTS[event_type] = cls

    @classmethod
    def dataschema(cls) -> str:
        """The name of this contract and version as CloudEvents' ``dataschema``."""
        return cls._dataschema
