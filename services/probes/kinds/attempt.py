"""One attempt to ask a peer: how long each phase took, which secrets were read, and how it ended early."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from services.probes.kinds.domain import Observation
from services.probes.kinds.secrets import Secrets

SHORTEST_HIDDEN = 3
HIDDEN = "•••"


class Ended(Exception):
    """The attempt ended early; ``observation`` says with what. It never leaves this package."""

    def __init__(self, observation: Observation) -> None:
        super().__init__(observation.detail)
        self.observation = observation


def failed(failure: str, detail: str, facts: Mapping[str, str] | None = None) -> Ended:
    """The peer did what makes it unusable."""
    return Ended(Observation("failed", failure, detail, facts=facts or {}))


def our_fault(failure: str, detail: str) -> Ended:
    """The peer can't be asked from here; this says nothing about it."""
    return Ended(Observation("probe_error", failure, detail))


class Attempt:
    """What one run measures and knows while it lasts. Phases of one name add up."""

    def __init__(self, secrets: Secrets, timeout: float = math.inf) -> None:
        self.secrets = secrets
        self._timeout = timeout
        self._read: list[str] = []
        self._began = time.perf_counter()
        self.phases: dict[str, float] = {}
        self.current: str | None = None

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time within to the phase; one that fails or is cut short is counted too, and stays the current."""
        self.current = name
        began = time.perf_counter()
        try:
            yield
        finally:
            ms = (time.perf_counter() - began) * 1000
            self.phases[name] = round(self.phases.get(name, 0.0) + ms, 3)

    @property
    def seconds(self) -> float:
        """Since the attempt began."""
        return round(time.perf_counter() - self._began, 6)

    @property
    def left(self) -> float:
        """Seconds that a part of the attempt may take and still be told by itself, before the whole is cut short."""
        return max(0.05, 0.95 * (self._timeout - self.seconds))

    def secret(self, name: str) -> str:
        """The secret's value, which will not appear in what is observed. Raises SecretMissing."""
        value = self.secrets.read(name)
        self._read.append(value)
        return value

    def secret_file(self, name: str) -> Path:
        """The path of a secret that a library reads by itself, such as a key. Raises SecretMissing."""
        return self.secrets.path(name)

    def told(self, observation: Observation) -> Observation:
        """The observation with the phases, and without a secret that the peer gave back to us."""
        return replace(
            observation,
            phases={**self.phases, **observation.phases},
            detail=self._hidden(observation.detail),
            facts={name: self._hidden(value) for name, value in observation.facts.items()},
        )

    def _hidden(self, text: str) -> str:
        for value in self._read:
            if len(value) >= SHORTEST_HIDDEN:
                text = text.replace(value, HIDDEN)
        return text
