"""The kind ``redfish``: what a server's management controller says of its health, drives, power and fans (DSP0266)."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Literal

import httpx
from pydantic import ConfigDict, Field

from services.probes.kinds.asking import NETWORK_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, Ended, failed, our_fault
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.exchange import HTTP_FAILURES, Login, Url, client, json_of

LARGEST_ANSWER = 2 * 1024 * 1024
MOST_ASKED = 100
ROOT = "/redfish/v1/"
LOGOUT_SECONDS = 2
KINDS_OF_PARTS = ("systems", "drives", "volumes", "power_supplies", "fans")

Resource = Mapping[str, Any]


class RedfishSettings(Login):
    """The management controller, and how to log in."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://bmc.north.example.org", "username": "steward", "password": "bmc-password"}]
        },
    )

    url: Url = Field(
        description="address of the controller; its service root is asked for the paths",
        examples=["https://bmc.north.example.org"],
    )
    login: Literal["basic", "session"] = Field(
        "basic", description="how user and password are shown: with each request, or once", examples=["session"]
    )


@dataclass
class Parts:
    """What was seen so far."""

    measures: dict[str, float] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def see(self, kind: str, resource: Resource) -> None:
        """Counts a part, and one that is not well; a slot without a part is passed over."""
        status = _dict(resource.get("Status"))
        if status.get("State") == "Absent":
            return
        health = status.get("HealthRollup") or status.get("Health") or "OK"
        for measure, more in ((kind, 1), (f"{kind}_not_well", health != "OK")):
            self.measures[measure] = self.measures.get(measure, 0.0) + more
        if health != "OK":
            name = resource.get("Name") or resource.get("MemberId") or resource.get("Id")
            self.problems.append((str(health), f"{kind.replace('_', ' ')}: {name} is {health}"))

    def see_volume(self, volume: Resource) -> None:
        """Counts a volume, and one that is rebuilt: it stands no further loss until that is done (Swordfish Volume)."""
        self.see("volumes", volume)
        for operation in _list(volume.get("Operations")):
            if "rebuild" in f"{operation.get('Operation')} {operation.get('OperationName')}".lower():
                self.measures["volumes_rebuilding"] = self.measures.get("volumes_rebuilding", 0.0) + 1
                done = operation.get("PercentageComplete")
                told = f", {done:g} % done" if isinstance(done, int | float) else ""
                self.problems.append(("Warning", f"volumes: {volume.get('Name')} is rebuilding{told}"))

    def keep(self, name: str, value: Any, better: Callable[[float, float], float]) -> None:
        """Keeps the better of the numbers of that name."""
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            self.measures[name] = better(self.measures.get(name, float(value)), float(value))


class Redfish(Asking[RedfishSettings]):
    """A walk from the service root over systems, drives and chassis."""

    name = "redfish"
    summary = "Asks a server's management controller for the health of the system, drives, power supplies and fans."
    settings = RedfishSettings
    faults_of_configuration: ClassVar = Asking.faults_of_configuration | {"login_refused"}
    interval = timedelta(minutes=5)
    measures: ClassVar = {
        **{kind: Measure("parts", "lower", "that are there") for kind in KINDS_OF_PARTS},
        **{f"{kind}_not_well": Measure("parts", "higher", "whose health is not OK") for kind in KINDS_OF_PARTS},
        "volumes_rebuilding": Measure("parts", "higher", "that have lost a drive and are being rebuilt"),
        "life_left_ratio": Measure("ratio", "lower", "of the most worn drive, as it predicts", 0.2, 0.1),
        "temperature_celsius": Measure("°C", "higher", "of the hottest sensor"),
        "margin_celsius": Measure("°C", "lower", "from a sensor to its own critical limit", 10, 3),
        "power_watts": Measure("W", "higher", "that is drawn"),
    }
    failures: ClassVar = (
        NETWORK_FAILURES
        | HTTP_FAILURES
        | {
            "login_refused": "the controller does not let this user in",
            "health": "the controller tells of a part that is not well",
        }
    )

    async def ask(self, settings: RedfishSettings, attempt: Attempt) -> Observation:
        """Walks over all parts and judges them by the worst."""
        async with _logged_in(settings, attempt) as controller:
            parts = Parts()
            root = await controller.get(ROOT)
            for system in await controller.members(root, "Systems"):
                parts.see("systems", system)
                for storage in await controller.members(system, "Storage"):
                    await _see_drives(controller, storage, parts)
            for chassis in await controller.members(root, "Chassis"):
                await _see_power(controller, chassis, parts)
                await _see_thermal(controller, chassis, parts)
        return _judged(parts, root)


class Controller:
    """Reads resources. Every method raises Ended when the controller does not keep its part."""

    def __init__(self, client: httpx.AsyncClient, base: str) -> None:
        self._client = client
        self._base = httpx.URL(base)
        self._asked = 0

    async def get(self, path: str) -> Resource:
        """The resource at that path of the same controller."""
        self._asked += 1
        if self._asked > MOST_ASKED:
            raise failed("too_large", f"The controller has more than {MOST_ASKED} resources to look at.")
        return _resource(await self._client.get(self._at(path)))

    async def linked(self, resource: Resource, name: str) -> Resource | None:
        """The resource that a property links to, or None where there is none."""
        path = _dict(resource.get(name)).get("@odata.id")
        return await self.get(path) if isinstance(path, str) else None

    async def members(self, resource: Resource, name: str) -> list[Resource]:
        """The members of a collection that a property links to."""
        collection = await self.linked(resource, name)
        return await self.each(collection.get("Members")) if collection else []

    async def each(self, links: Any) -> list[Resource]:
        """The resources that a list of links leads to; what it holds in place is taken as it is."""
        found: list[Resource] = []
        for link in links if isinstance(links, list) else []:
            path = _dict(link).get("@odata.id")
            if "Status" in _dict(link) or not isinstance(path, str):
                found.append(_dict(link))
            else:
                found.append(await self.get(path))
        return found

    async def open_session(self, username: str, password: str) -> str:
        """Logs in (DSP0266 §13.3.4); where the session can be ended."""
        body = {"UserName": username, "Password": password}
        response = await self._client.post(self._at(f"{ROOT}SessionService/Sessions"), json=body)
        token, path = response.headers.get("X-Auth-Token"), response.headers.get("Location", "")
        if response.status_code not in (200, 201) or not token:
            raise failed("login_refused", f"The controller refuses the login with {response.status_code}.")
        self._client.headers["X-Auth-Token"] = token
        return httpx.URL(path).path

    async def end_session(self, path: str) -> None:
        """Logs out: controllers stand few sessions at a time."""
        await self._client.delete(self._at(path))

    def _at(self, path: str) -> httpx.URL:
        """A path of this controller; one that leads to another host is refused."""
        address = self._base.join(path)
        if (address.scheme, address.netloc) != (self._base.scheme, self._base.netloc):
            raise failed("redirect", "The controller leads to another host, where our credentials don't go.")
        return address


@asynccontextmanager
async def _logged_in(settings: RedfishSettings, attempt: Attempt) -> AsyncIterator[Controller]:
    if settings.login == "basic":
        async with client(attempt, settings, LARGEST_ANSWER, settings.login_headers(attempt)) as speaking:
            yield Controller(speaking, settings.url)
        return
    if settings.username is None or settings.password is None:
        raise our_fault("settings", "A session needs a username and a password.")
    async with client(attempt, settings, LARGEST_ANSWER, {}) as speaking:
        controller = Controller(speaking, settings.url)
        session = await controller.open_session(settings.username, attempt.secret(settings.password))
        try:
            yield controller
        finally:
            with suppress(Ended):
                async with asyncio.timeout(LOGOUT_SECONDS):
                    await controller.end_session(session)


async def _see_drives(controller: Controller, storage: Resource, parts: Parts) -> None:
    for drive in await controller.each(storage.get("Drives")):
        parts.see("drives", drive)
        left = drive.get("PredictedMediaLifeLeftPercent")
        parts.keep("life_left_ratio", left / 100 if isinstance(left, int | float) else None, min)
    for volume in await controller.members(storage, "Volumes"):
        parts.see_volume(volume)


async def _see_power(controller: Controller, chassis: Resource, parts: Parts) -> None:
    """By PowerSubsystem, or, on controllers from before 2020, by Power."""
    subsystem = await controller.linked(chassis, "PowerSubsystem")
    if subsystem is not None:
        for supply in await controller.members(subsystem, "PowerSupplies"):
            parts.see("power_supplies", supply)
        return
    power = await controller.linked(chassis, "Power") or {}
    for supply in await controller.each(power.get("PowerSupplies")):
        parts.see("power_supplies", supply)
    for control in _list(power.get("PowerControl")):
        parts.keep("power_watts", control.get("PowerConsumedWatts"), max)


async def _see_thermal(controller: Controller, chassis: Resource, parts: Parts) -> None:
    """By ThermalSubsystem, or, on controllers from before 2020, by Thermal."""
    subsystem = await controller.linked(chassis, "ThermalSubsystem")
    if subsystem is not None:
        for fan in await controller.members(subsystem, "Fans"):
            parts.see("fans", fan)
    thermal = await controller.linked(chassis, "Thermal") or {}
    for fan in await controller.each(thermal.get("Fans")) if subsystem is None else []:
        parts.see("fans", fan)
    for sensor in _list(thermal.get("Temperatures")):
        reading, limit = sensor.get("ReadingCelsius"), sensor.get("UpperThresholdCritical")
        parts.keep("temperature_celsius", reading, max)
        if isinstance(reading, int | float) and isinstance(limit, int | float):
            parts.keep("margin_celsius", limit - reading, min)


def _judged(parts: Parts, root: Resource) -> Observation:
    facts = {
        name: str(root[key])[:200] for name, key in (("version", "RedfishVersion"), ("vendor", "Vendor")) if key in root
    }
    if "systems" not in parts.measures:
        raise failed("protocol", "The controller tells of no system.")
    if not parts.problems:
        return Observation("ok", None, "All parts are well.", measures=parts.measures, facts=facts)
    is_critical = any(health == "Critical" for health, _ in parts.problems)
    detail = "; ".join(text for _, text in parts.problems)[:900]
    return Observation(
        "failed" if is_critical else "degraded", "health", f"{detail}.", measures=parts.measures, facts=facts
    )


def _resource(response: httpx.Response) -> Resource:
    if response.status_code in (401, 403):
        raise failed("login_refused", f"The controller refuses the login with {response.status_code}.")
    if response.status_code != 200:
        raise failed("http_status", f"The controller answered {response.status_code} for {response.url.path}.")
    try:
        return _dict(json_of(response))
    except (ValueError, RecursionError) as exc:
        raise failed("protocol", "The controller answers with something else than JSON.") from exc


def _dict(value: Any) -> Resource:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Resource]:
    return [_dict(one) for one in value] if isinstance(value, list) else []
