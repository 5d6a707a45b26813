"""What every kind of probe has: a name, settings of its own, what it asks of which target, and what it observed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel

from services.probes.kinds.secret_names import foreign_secret
from shared.events.inventory import DicomAddress
from shared.events.probes import Outcome

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one run saw. ``phases`` are milliseconds; ``detail`` is a sentence for a person.

    ``measures`` are the numbers that the kind declares, ``facts`` what it saw in words, such as a TLS version.
    """

    outcome: Outcome
    failure: str | None
    detail: str
    phases: Mapping[str, float] = field(default_factory=dict)
    rejection: tuple[int, int, int] | None = None
    status: str | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that a kind tells of its target: its unit, and which way is worse.

    ``warning`` and ``critical`` are the limits that hold where a check sets no others; None sets none. With
    ``baseline`` it is also judged by what was learned to be usual for the hour of the week.
    """

    unit: str
    worse: Literal["higher", "lower"]
    summary: str
    warning: float | None = None
    critical: float | None = None
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class Nature:
    """What alerts know of a kind; ``Kind`` says what each means."""

    measures: Mapping[str, Measure] = field(default_factory=dict)
    faults_of_configuration: frozenset[str] = frozenset()
    asks_for_reach: bool = False
    is_connectionless: bool = False


class Configuration(Protocol):
    """What kinds need of the service's settings."""

    @property
    def probe_ae_title(self) -> str:
        """Our own AE title."""

    @property
    def probe_listen_host(self) -> str:
        """Where archives reach us with what a C-MOVE, or a storage commitment, sends."""

    @property
    def probe_listen_port(self) -> int:
        """The port there; 0 takes a free one."""

    @property
    def probe_secrets(self) -> str | None:
        """The folder of the secrets that checks name; None where there is none."""

    @property
    def probe_commands(self) -> str | None:
        """The folder of the programs that checks may run; None where none may be run."""


class Kind(ABC, Generic[S]):
    """One kind of probe. ``name`` is also the check that its alerts name.

    ``interval`` is the time between runs where a check sets no other. A ``heavy`` run moves so much that a system
    stands one of them at a time. With ``has_own_measures`` it tells, beside ``measures``, numbers whose names its
    settings or its target give. ``phases`` are the names that its phases may have; ``failures`` the words that an
    observation's ``failure`` may be, and what each means.

    Of these, ``faults_of_configuration`` are those of a target that runs, and does not know us, or does not have what
    we ask for: they are no outage. One that ``asks_for_reach`` asks little more than whether its target can be reached,
    and so tells that for what lies behind it. To one that ``is_connectionless`` silence is all that there is of a
    target out of reach; others have reached what they have connected to.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    settings: type[S]
    interval: ClassVar[timedelta] = timedelta(seconds=60)
    is_heavy: ClassVar[bool] = False
    measures: ClassVar[Mapping[str, Measure]] = {}
    has_own_measures: ClassVar[bool] = False
    phases: ClassVar[frozenset[str]] = frozenset({"dns", "tcp", "tls", "answer", "body"})
    failures: ClassVar[Mapping[str, str]] = {}
    faults_of_configuration: ClassVar[frozenset[str]] = frozenset()
    asks_for_reach: ClassVar[bool] = False
    is_connectionless: ClassVar[bool] = False

    @classmethod
    def nature(cls) -> Nature:
        """What alerts know of it."""
        return Nature(cls.measures, cls.faults_of_configuration, cls.asks_for_reach, cls.is_connectionless)

    @classmethod
    def configured(cls, configuration: Configuration) -> Self:
        """The kind as this replica runs it."""
        return cls()

    @classmethod
    def settings_for(cls, address: DicomAddress) -> S | None:
        """What a probe that every node at such an address gets needs to know; None when it gets none of this kind."""
        return None

    async def run_for(self, site_id: str, settings: Mapping[str, Any], timeout: float) -> Observation:
        """Runs what a site asks, as ``run`` does; nothing where it names a secret of another site."""
        valid = self.settings.model_validate(settings)
        if (name := foreign_secret(valid, site_id)) is not None:
            detail = f"The secret {name} is not of the site {site_id}: name one that begins with {site_id}."
            return Observation("probe_error", "secret", detail)
        return await self.run(valid, timeout)

    @abstractmethod
    async def run(self, settings: S, timeout: float) -> Observation:
        """Asks once and returns within ``timeout`` seconds, whatever the peer does."""
