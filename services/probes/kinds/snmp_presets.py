"""What SNMP agents tell of storage, load, power, ports and RAID, and what of it is bad."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from services.probes.kinds.snmp_session import Session, Value

Preset = Literal["storage", "load", "ups", "ports", "dell", "hpe", "synology"]
Problem = tuple[Literal["degraded", "failed"], str]

LONGEST_FACT = 1000
# HOST-RESOURCES-MIB, RFC 2790
STORAGE, FIXED_DISKS, LOAD = "1.3.6.1.2.1.25.2.3.1", {"1.3.6.1.2.1.25.2.1.4"}, "1.3.6.1.2.1.25.3.3.1.2"
# UPS-MIB, RFC 1628
UPS_BATTERY, UPS_ON_BATTERY, UPS_MINUTES, UPS_CHARGE = (f"1.3.6.1.2.1.33.1.2.{number}.0" for number in (1, 2, 3, 4))
UPS_SOURCE, UPS_ALARMS = "1.3.6.1.2.1.33.1.4.1.0", "1.3.6.1.2.1.33.1.6.1.0"
# IF-MIB, RFC 2863
INTERFACES = "1.3.6.1.2.1.2.2.1"
UP = 1


@dataclass
class Findings:
    """What was found so far."""

    measures: dict[str, float] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def tell(self, name: str, texts: Sequence[str]) -> None:
        """A fact of several parts."""
        self.facts[name] = "; ".join(texts)[:LONGEST_FACT]


@dataclass(frozen=True)
class States:
    """A column of an agent's table, or a single object, whose numbers are states: those that are well, or halfway."""

    label: str
    oid: str
    well: frozenset[int]
    halfway: frozenset[int]
    words: Mapping[int, str] = field(default_factory=dict)


_BATTERY = {1: "unknown", 2: "normal", 3: "low", 4: "depleted"}
_SOURCE = {1: "other", 2: "none", 3: "normal", 4: "bypass", 5: "battery", 6: "booster", 7: "reducer"}
_REBUILDING = "rebuilding"
_DELL: tuple[set[int], set[int], dict[int, str]] = ({3}, {1, 2, 4}, {})
_HPE: tuple[set[int], set[int], dict[int, str]] = ({2}, {1, 3}, {})
# cpqDaLogDrvStatus
_HPE_DRIVE = (
    {2, 4, 12, 14},
    {1, 5, 6, 7, 10, 15},
    {3: "failed", 5: "recovering", 6: "ready to rebuild", 7: _REBUILDING, 10: "overheating"},
)
_SYNOLOGY_RAID = (
    {1, 3, 4, 5, 6, 8, 9, 10},
    {2, 7, 11},
    {2: _REBUILDING, 7: "synchronizing", 11: "degraded", 12: "crashed"},
)
VENDORS: Mapping[str, tuple[States, ...]] = {
    name: tuple(
        States(label, oid, frozenset(well), frozenset(halfway), words) for label, oid, (well, halfway, words) in columns
    )
    for name, columns in {
        # IDRAC-MIB-SMIv2, ObjectStatusEnum
        "dell": (
            ("storage", "1.3.6.1.4.1.674.10892.5.2.3", _DELL),
            ("virtual disk", "1.3.6.1.4.1.674.10892.5.5.1.20.140.1.1.20", _DELL),
            ("physical disk", "1.3.6.1.4.1.674.10892.5.5.1.20.130.4.1.24", _DELL),
        ),
        # CPQIDA-MIB
        "hpe": (
            ("array", "1.3.6.1.4.1.232.3.1.3", _HPE),
            ("logical drive", "1.3.6.1.4.1.232.3.2.3.1.1.11", _HPE),
            ("state of logical drive", "1.3.6.1.4.1.232.3.2.3.1.1.4", _HPE_DRIVE),
            ("physical drive", "1.3.6.1.4.1.232.3.2.5.1.1.37", _HPE),
        ),
        # SYNOLOGY-DISK-MIB, SYNOLOGY-RAID-MIB
        "synology": (
            ("disk", "1.3.6.1.4.1.6574.2.1.1.5", ({1, 2}, {3}, {})),
            ("RAID", "1.3.6.1.4.1.6574.3.1.1.3", _SYNOLOGY_RAID),
        ),
    }.items()
}


async def find(session: Session, preset: Preset, names: Sequence[str], findings: Findings) -> None:
    """Adds what the preset finds; ``names`` are the disks or interfaces that count, where any are named."""
    ask = _PRESETS.get(preset)
    if ask is not None:
        await ask(session, names, findings)
        return
    await _states(session, preset, findings)


async def _storage(session: Session, names: Sequence[str], findings: Findings) -> None:
    kinds, labels = await session.walk(f"{STORAGE}.2"), await session.walk(f"{STORAGE}.3")
    sizes, used = await session.walk(f"{STORAGE}.5"), await session.walk(f"{STORAGE}.6")
    units = await session.walk(f"{STORAGE}.4")
    ratios: dict[str, float] = {}
    free: dict[str, float] = {}
    for index, label in labels.items():
        size = _unsigned(sizes.get(index))
        if size and (label in names if names else kinds.get(index) in FIXED_DISKS):
            ratios[str(label)] = min(1.0, _unsigned(used.get(index)) / size)
            free[str(label)] = (size - min(size, _unsigned(used.get(index)))) * _unsigned(units.get(index))
    if not ratios:
        findings.missing.append("disks")
        return
    fullest = max(ratios, key=ratios.__getitem__)
    findings.measures |= {"used_ratio": round(ratios[fullest], 6), "free_bytes": free[fullest]}
    findings.tell("storage", [f"{label} {ratio:.0%}" for label, ratio in ratios.items()])
    _tell_absent(names, ratios, "disk", findings)


async def _load(session: Session, names: Sequence[str], findings: Findings) -> None:
    loads = [_unsigned(load) for load in (await session.walk(LOAD)).values()]
    if not loads:
        findings.missing.append("processors")
        return
    findings.measures["load_ratio"] = round(sum(loads) / len(loads) / 100, 4)


async def _ups(session: Session, names: Sequence[str], findings: Findings) -> None:
    told = await session.get([UPS_BATTERY, UPS_ON_BATTERY, UPS_MINUTES, UPS_CHARGE, UPS_SOURCE, UPS_ALARMS])
    if UPS_BATTERY not in told and UPS_SOURCE not in told:
        findings.missing.append("UPS")
        return
    for oid, name, factor in (
        (UPS_CHARGE, "charge_ratio", 0.01),
        (UPS_MINUTES, "runtime_seconds", 60),
        (UPS_ON_BATTERY, "on_battery_seconds", 1),
        (UPS_ALARMS, "alarms", 1),
    ):
        if isinstance(value := told.get(oid), int):
            findings.measures[name] = round(value * factor, 4)
    battery, source = told.get(UPS_BATTERY), told.get(UPS_SOURCE)
    findings.facts |= {"battery": _word(_BATTERY, battery), "output": _word(_SOURCE, source)}
    if battery in (3, 4):
        findings.problems.append(("failed", f"the battery is {_word(_BATTERY, battery)}"))
    if source in (2, 4, 5):
        findings.problems.append(("failed" if source == 2 else "degraded", f"power comes from {_SOURCE[int(source)]}"))
    if findings.measures.get("alarms", 0) > 0:
        findings.problems.append(("degraded", f"{findings.measures['alarms']:.0f} alarms are present"))


async def _ports(session: Session, names: Sequence[str], findings: Findings) -> None:
    labels = await session.walk(f"{INTERFACES}.2")
    if not labels:
        findings.missing.append("interfaces")
        return
    chosen = {index: str(label) for index, label in labels.items() if not names or label in names}
    wanted, is_up = await session.walk(f"{INTERFACES}.7"), await session.walk(f"{INTERFACES}.8")
    for name, column in (("in_errors_count", 14), ("out_errors_count", 20), ("in_discards_count", 13)):
        counted = await session.walk(f"{INTERFACES}.{column}")
        findings.measures[name] = float(sum(_unsigned(counted.get(index)) for index in chosen))
    down = [label for index, label in chosen.items() if wanted.get(index) == UP and is_up.get(index) != UP]
    findings.measures["ports_down"] = float(len(down))
    findings.tell("ports_down", down)
    # A switch has many ports with nothing in them: only those that were named are missed.
    findings.problems += [("failed", f"the port {label} is down") for label in down if label in names]
    _tell_absent(names, set(chosen.values()), "port", findings)


async def _states(session: Session, preset: Preset, findings: Findings) -> None:
    found = rebuilding = 0
    for states in VENDORS[preset]:
        for index, value in (await session.walk(states.oid)).items():
            found += 1
            if value not in states.well:
                outcome: Literal["degraded", "failed"] = "degraded" if value in states.halfway else "failed"
                word = states.words.get(value) if isinstance(value, int) else None
                rebuilding += word == _REBUILDING
                findings.problems.append((outcome, f"{states.label} {index} is {word or f'in state {value}'}"))
    if not found:
        findings.missing.append(f"{preset} storage")
    findings.measures["rebuilding_parts"] = findings.measures.get("rebuilding_parts", 0.0) + rebuilding
    findings.measures["faulty_parts"] = findings.measures.get("faulty_parts", 0.0) + len(findings.problems)


def _tell_absent(names: Sequence[str], found: Mapping[str, float] | set[str], what: str, findings: Findings) -> None:
    findings.problems += [("failed", f"there is no {what} {name}") for name in names if name not in found]


def _unsigned(value: Value | None) -> int:
    """Sizes pass what 31 bits can hold, and some agents then tell them as negative."""
    if not isinstance(value, int):
        return 0
    return value + 2**32 if value < 0 else value


def _word(words: Mapping[int, str], value: Value | None) -> str:
    return words.get(value, "unknown") if isinstance(value, int) else "unknown"


_PRESETS: Mapping[str, Callable[[Session, Sequence[str], Findings], Awaitable[None]]] = {
    "storage": _storage,
    "load": _load,
    "ups": _ups,
    "ports": _ports,
}
