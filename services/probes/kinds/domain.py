"""What every kind of probe has: a name, settings of its own, what it asks of which target, and what it observed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Protocol, Self, TypeVar

from pydantic import BaseModel

from shared.events.inventory import DicomAddress
from shared.events.probes import Outcome

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one run saw. ``phases`` are milliseconds; ``detail`` is a sentence for a person."""

    outcome: Outcome
    failure: str | None
    detail: str
    phases: Mapping[str, float] = field(default_factory=dict)
    rejection: tuple[int, int, int] | None = None
    status: str | None = None


class Configuration(Protocol):
    """What kinds need of the service's settings."""

    @property
    def probe_ae_title(self) -> str:
        """Our own AE title."""


class Kind(ABC, Generic[S]):
    """One kind of probe. ``name`` is also the check that its alerts name."""

    name: ClassVar[str]
    summary: ClassVar[str]
    settings: type[S]

    @classmethod
    def configured(cls, configuration: Configuration) -> Self:
        """The kind as this replica runs it."""
        return cls()

    @classmethod
    @abstractmethod
    def settings_for(cls, address: DicomAddress) -> S | None:
        """What a probe of a node at that address needs to know; None when this kind has nothing to ask of it."""

    @abstractmethod
    async def run(self, settings: S, timeout: float) -> Observation:
        """Asks once and returns within ``timeout`` seconds, whatever the peer does."""
