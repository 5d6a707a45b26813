"""Rules of usage: which counters there are, which measures of probes feed them, and that time only goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Malformed
from shared.events import Instant

COUNTERS: Mapping[str, str] = {
    "power_on_hours": "hours",
    "wear_percent": "percent of the life that its maker promises",
    "cycles": "charges, loads or starts",
    "bytes_written": "bytes",
    "reallocated_sectors": "sectors",
    "media_errors": "errors",
    "port_errors": "packets since the start of what counts them",
    "on_battery_seconds": "seconds",
    "runtime_seconds": "seconds that a battery lasts",
    "charge_percent": "percent",
    "temperature_celsius": "°C",
    "used_percent": "percent of the capacity",
}
"""Each counter with its unit."""

MERCY = timedelta(minutes=5)
"""How far the clock of whoever reads a counter may be ahead of ours."""


class Usage(BaseModel):
    """What a counter of an asset stood at, and when; ``told_by`` is who read it."""

    model_config = ConfigDict(frozen=True)

    asset_id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"])
    counter: str = Field(examples=["power_on_hours"])
    unit: str = Field(examples=["hours"])
    value: float = Field(examples=[31245])
    at: Instant
    told_by: str = Field(examples=["alice"])


@dataclass(frozen=True)
class Feed:
    """How a counter follows from measures of a kind of probe: ``offset + factor`` times their sum."""

    counter: str
    measures: tuple[str, ...]
    factor: float = 1.0
    offset: float = 0.0

    def value(self, measures: Mapping[str, float]) -> float | None:
        """The counter's value, if one of the measures is there."""
        given = [measures[name] for name in self.measures if name in measures]
        return self.offset + self.factor * sum(given) if given else None


FEEDS: Mapping[str, tuple[Feed, ...]] = {
    "snmp": (
        Feed("port_errors", ("in_errors_count", "out_errors_count")),
        Feed("charge_percent", ("charge_ratio",), factor=100),
        Feed("used_percent", ("used_ratio",), factor=100),
    ),
    "redfish": (Feed("wear_percent", ("life_left_ratio",), factor=-100, offset=100),),
}
"""By kind of probe, what its measures feed besides those that are called as a counter is."""


def counters_in(kind: str, measures: Mapping[str, float]) -> dict[str, float]:
    """The counters that a result tells of. A measure with a counter's name is that counter, whatever kind saw it."""
    if not measures:
        return {}
    found = {name: measures[name] for name in COUNTERS.keys() & measures.keys()}
    for feed in FEEDS.get(kind, ()):
        value = feed.value(measures)
        if value is not None:
            found[feed.counter] = value
    return found


def check_reading(counter: str, at: datetime, now: datetime) -> None:
    """Raises Malformed for a counter that there is not, or a reading of the future."""
    if counter not in COUNTERS:
        raise Malformed("counter", f"must be one of {', '.join(COUNTERS)}", "power_on_hours")
    if at > now + MERCY:
        raise Malformed("at", "must not lie in the future", now.isoformat(timespec="seconds"))
