"""The kind ``snmp``: storage, load, power, ports and RAID as agents tell of them, and any other object."""

import socket
import time
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.probes.kinds.asking import NETWORK_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, failed
from services.probes.kinds.counters import Counters
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.network import Host, Port, resolve
from services.probes.kinds.secret_names import Secret
from services.probes.kinds.secrets import Secrets
from services.probes.kinds.snmp_presets import Findings, Preset, find
from services.probes.kinds.snmp_session import AuthProtocol, Community, Engines, PrivProtocol, Session, User
from shared.events.probes import Outcome

COUNTED = frozenset({"in_errors_count", "out_errors_count", "in_discards_count"})

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]


class SnmpObject(BaseModel):
    """One object, and what its values mean."""

    model_config = ConfigDict(extra="forbid")

    oid: str = Field(
        pattern=r"^1(\.[0-9]{1,10}){2,60}$", description="its number, with its index", examples=["1.3.6.1.2.1.1.3.0"]
    )
    name: Name = Field(description="name of the measure, or of the fact where it is text", examples=["uptime_seconds"])
    factor: float = Field(1, description="what a number is multiplied with", examples=[0.01])
    outcomes: dict[str, Literal["ok", "degraded", "failed"]] = Field(
        {},
        max_length=50,
        description="what its values mean; one that is not named is failed, where any is named",
        examples=[{"1": "ok", "2": "degraded"}],
    )


class SnmpSettings(BaseModel):
    """The agent, how to log in, and what to ask for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"host": "ups.north.example.org", "community": "snmp-community", "presets": ["ups"]}]
        },
    )

    host: Host
    port: Port = Field(161, description="UDP port", examples=[161])
    version: Literal["2c", "3"] = Field("2c", description="version of SNMP", examples=["3"])
    community: Secret | None = Field(None, description="secret with the community of 2c", examples=["north.snmp"])
    username: str | None = Field(None, max_length=32, description="user of version 3", examples=["steward"])
    auth_protocol: AuthProtocol | None = Field(None, description="how messages are signed", examples=["SHA256"])
    auth_key: Secret | None = Field(None, description="secret with the password for it", examples=["north.snmp-auth"])
    priv_protocol: PrivProtocol | None = Field(None, description="how messages are encrypted", examples=["AES"])
    priv_key: Secret | None = Field(None, description="secret with the password for it", examples=["north.snmp-priv"])
    context: str = Field("", max_length=32, description="context of version 3", examples=["bridge1"])
    presets: list[Preset] = Field([], max_length=7, description="what to look at", examples=[["storage", "load"]])
    names: list[str] = Field(
        [],
        max_length=50,
        description="the disks of storage and the interfaces of ports that count; by default all",
        examples=[["/", "/images"]],
    )
    objects: list[SnmpObject] = Field([], max_length=20, description="other objects to look at")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.presets and not self.objects:
            raise ValueError('must name presets or objects, for example presets ["storage"]')
        if self.version == "2c" and self.community is None:
            raise ValueError("version 2c needs a community, for example snmp-community")
        if self.version == "3" and self.username is None:
            raise ValueError("version 3 needs a username, for example steward")
        if bool(self.auth_protocol) != bool(self.auth_key) or bool(self.priv_protocol) != bool(self.priv_key):
            raise ValueError("a protocol and its key go together, for example SHA256 and snmp-auth")
        if self.priv_protocol and not self.auth_protocol:
            raise ValueError("priv_protocol needs an auth_protocol, for example SHA256")
        return self


class Snmp(Asking[SnmpSettings]):
    """The answers of one agent. Counters are told as they are, and from the second run on with how fast they grow."""

    name = "snmp"
    summary = "Asks an SNMP agent (v2c, v3) for storage, load, UPS, port errors, RAID, or any object."
    settings = SnmpSettings
    faults_of_configuration: ClassVar = Asking.faults_of_configuration | {"login_refused", "no_such_object"}
    is_connectionless = True
    interval = timedelta(minutes=5)
    has_own_measures: ClassVar = True
    measures: ClassVar = {
        "used_ratio": Measure("ratio", "higher", "storage: of the fullest disk", 0.8, 0.9),
        "free_bytes": Measure("bytes", "lower", "storage: left on the fullest disk"),
        "load_ratio": Measure("ratio", "higher", "load: of all processors", 0.9, 0.98),
        "charge_ratio": Measure("ratio", "lower", "ups: of the battery", 0.5, 0.2),
        "runtime_seconds": Measure("seconds", "lower", "ups: that the battery lasts", 900, 300),
        "on_battery_seconds": Measure("seconds", "higher", "ups: on battery so far"),
        "alarms": Measure("alarms", "higher", "ups: present"),
        "in_errors_count": Measure("packets", "higher", "ports: received with errors since the agent's start"),
        "out_errors_count": Measure("packets", "higher", "ports: not sent for errors since the agent's start"),
        "in_discards_count": Measure("packets", "higher", "ports: received and discarded since the agent's start"),
        "in_errors_per_hour": Measure("packets per hour", "higher", "ports: received with errors", 10, 1000),
        "out_errors_per_hour": Measure("packets per hour", "higher", "ports: not sent for errors", 10, 1000),
        "in_discards_per_hour": Measure("packets per hour", "higher", "ports: received and discarded"),
        "ports_down": Measure("ports", "higher", "ports: that are enabled, but down"),
        "faulty_parts": Measure("parts", "higher", "dell, hpe, synology: drives and arrays that are not well"),
        "rebuilding_parts": Measure("parts", "higher", "hpe, synology: arrays that are being rebuilt"),
    }
    failures: ClassVar = {
        **{word: what for word, what in NETWORK_FAILURES.items() if word != "timeout_connect"},
        "login_refused": "the agent does not know the user, or its keys are others",
        "snmp_error": "the agent answers with an error",
        "no_such_object": "the agent does not have what it is asked for",
        "health": "the agent tells of something that is not well",
    }

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets)
        self.engines = Engines()
        self.counters = Counters()

    async def ask(self, settings: SnmpSettings, attempt: Attempt) -> Observation:
        """Asks for the presets one after the other, then for the objects."""
        login = _login(settings, attempt)
        addresses = await resolve(attempt, settings.host, settings.port, socket.SOCK_DGRAM)
        findings = Findings()
        async with self.engines.lent(login) as engine:
            session = Session(engine, login, addresses[0], settings.context)
            with attempt.phase("answer"):
                for preset in settings.presets:
                    await find(session, preset, settings.names, findings)
                await _objects(session, settings.objects, findings)
        self._tell_growth(settings, findings, time.monotonic())
        return _judged(findings)

    def _tell_growth(self, settings: SnmpSettings, findings: Findings, now: float) -> None:
        place = (settings.host, settings.port, settings.context, *settings.names)
        for name in COUNTED & findings.measures.keys():
            growth = self.counters.per_hour((name, *place), findings.measures[name], now)
            if growth is not None:
                findings.measures[name.replace("_count", "_per_hour")] = growth


def _login(settings: SnmpSettings, attempt: Attempt) -> Community | User:
    def value(name: str | None) -> str | None:
        return attempt.secret(name) if name else None

    if settings.version == "2c":
        return Community(attempt.secret(settings.community or ""))
    return User(
        settings.username or "",
        settings.auth_protocol,
        value(settings.auth_key),
        settings.priv_protocol,
        value(settings.priv_key),
    )


async def _objects(session: Session, objects: list[SnmpObject], findings: Findings) -> None:
    told = await session.get([one.oid for one in objects])
    for one in objects:
        value = told.get(one.oid)
        if value is None:
            findings.missing.append(one.oid)
            continue
        if isinstance(value, int):
            findings.measures[one.name] = round(value * one.factor, 9)
        else:
            findings.facts[one.name] = value[:1000]
        outcome = one.outcomes.get(str(value), "failed") if one.outcomes else "ok"
        if outcome != "ok":
            findings.problems.append((outcome, f"{one.name} is {value}"))


def _judged(findings: Findings) -> Observation:
    if findings.missing:
        raise failed("no_such_object", f"The agent answers, but tells nothing of: {', '.join(findings.missing)}.")
    seen = Observation(
        "ok", None, "The agent tells of nothing that is not well.", measures=findings.measures, facts=findings.facts
    )
    if not findings.problems:
        return seen
    outcome: Outcome = "failed" if any(how == "failed" for how, _ in findings.problems) else "degraded"
    detail = "; ".join(text for _, text in findings.problems)
    return replace(seen, outcome=outcome, failure="health", detail=f"The agent tells: {detail[:900]}.")
