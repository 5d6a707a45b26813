"""redfish against a management controller of these tests, with the resources that DMTF publishes for a rack server."""

import base64
import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.integration.probes.kinds.asked import SECRETS, Asked
from tests.integration.probes.kinds.serving import serving

V1 = "/redfish/v1"
OK = {"State": "Enabled", "Health": "OK"}


def link(path: str) -> dict[str, str]:
    """A link to a resource."""
    return {"@odata.id": f"{V1}{path}"}


def collection(*paths: str) -> dict[str, Any]:
    """A collection of resources."""
    return {"Members": [link(path) for path in paths], "Members@odata.count": len(paths)}


RESOURCES: dict[str, Any] = {
    "/": {"RedfishVersion": "1.15.0", "Vendor": "Contoso", "Systems": link("/Systems"), "Chassis": link("/Chassis")},
    "/Systems": collection("/Systems/1"),
    "/Systems/1": {"Name": "System", "Status": OK | {"HealthRollup": "OK"}, "Storage": link("/Systems/1/Storage")},
    "/Systems/1/Storage": collection("/Systems/1/Storage/1"),
    "/Systems/1/Storage/1": {"Name": "RAID", "Drives": [link("/Drives/1"), link("/Drives/2"), link("/Drives/3")]},
    "/Drives/1": {"Name": "Drive 1", "Status": OK, "PredictedMediaLifeLeftPercent": 93},
    "/Drives/2": {"Name": "Drive 2", "Status": OK, "PredictedMediaLifeLeftPercent": 71.5},
    "/Drives/3": {"Name": "Bay 3", "Status": {"State": "Absent"}},
    "/Chassis": collection("/Chassis/1"),
    "/Chassis/1": {"Name": "Chassis", "Power": link("/Chassis/1/Power"), "Thermal": link("/Chassis/1/Thermal")},
    "/Chassis/1/Power": {
        "PowerControl": [{"PowerConsumedWatts": 344}],
        "PowerSupplies": [{"Name": "PSU 1", "Status": OK}, {"Name": "PSU 2", "Status": OK}],
    },
    "/Chassis/1/Thermal": {
        "Fans": [{"Name": "Fan 1", "Status": OK}],
        "Temperatures": [
            {"Name": "CPU", "ReadingCelsius": 61, "UpperThresholdCritical": 90, "Status": OK},
            {"Name": "Inlet", "ReadingCelsius": 24, "UpperThresholdCritical": 42, "Status": OK},
        ],
    },
}
SUBSYSTEMS: dict[str, Any] = {
    "/Chassis/1": {
        "PowerSubsystem": link("/Chassis/1/PowerSubsystem"),
        "ThermalSubsystem": link("/Chassis/1/ThermalSubsystem"),
    },
    "/Chassis/1/PowerSubsystem": {"PowerSupplies": link("/Chassis/1/PowerSubsystem/PowerSupplies")},
    "/Chassis/1/PowerSubsystem/PowerSupplies": collection("/PSU/1"),
    "/PSU/1": {"Name": "PSU 1", "Status": OK},
    "/Chassis/1/ThermalSubsystem": {"Fans": link("/Chassis/1/ThermalSubsystem/Fans")},
    "/Chassis/1/ThermalSubsystem/Fans": collection("/Fan/1", "/Fan/2"),
    "/Fan/1": {"Name": "Fan 1", "Status": OK},
    "/Fan/2": {"Name": "Fan 2", "Status": OK},
}


@dataclass
class Bmc:
    """A management controller: one user, by HTTP Basic or by a session."""

    resources: dict[str, Any] = field(default_factory=lambda: deepcopy(RESOURCES))
    sessions: set[str] = field(default_factory=set)
    opened: int = 0

    async def get(self, request: Request) -> Response:
        """A resource, for the user."""
        if not self._is_known(request):
            return JSONResponse({"error": {}}, 401)
        found = self.resources.get(request.url.path.removeprefix(V1))
        if isinstance(found, str):
            return Response(found)
        return JSONResponse(found) if found is not None else JSONResponse({}, 404)

    async def log_in(self, request: Request) -> Response:
        """A session (DSP0266 §13.3.4)."""
        if json.loads(await request.body()) != {"UserName": "ann", "Password": SECRETS["word"]}:
            return JSONResponse({}, 401)
        self.opened += 1
        self.sessions.add("token")
        location = f"{V1}/SessionService/Sessions/1"
        return JSONResponse({}, 201, {"X-Auth-Token": "token", "Location": location})

    async def log_out(self, request: Request) -> Response:
        """Ends it."""
        self.sessions.discard(request.headers["x-auth-token"])
        return Response(status_code=204)

    def _is_known(self, request: Request) -> bool:
        basic = base64.b64encode(f"ann:{SECRETS['word']}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {basic}" or (
            request.headers.get("x-auth-token") in self.sessions
        )

    @property
    def routes(self) -> list[Route]:
        """What it answers to."""
        return [
            Route(f"{V1}/SessionService/Sessions", self.log_in, methods=["POST"]),
            Route(f"{V1}/SessionService/Sessions/1", self.log_out, methods=["DELETE"]),
            Route("/{path:path}", self.get),
        ]


def as_user(url: str, **more: Any) -> dict[str, Any]:
    """How to ask it."""
    return {"url": url, "username": "ann", "password": "word", **more}


async def test_server_that_is_well(ask: Asked) -> None:
    """Every part is counted, an empty bay is none; the least life and the least margin are told."""
    async with serving(Bmc().routes) as url:
        seen = await ask("redfish", as_user(url))
    assert (seen.outcome, seen.failure) == ("ok", None), seen
    assert seen.measures == {
        **{"systems": 1, "systems_not_well": 0, "drives": 2, "drives_not_well": 0, "life_left_ratio": 0.715},
        **{"power_supplies": 2, "power_supplies_not_well": 0, "power_watts": 344, "fans": 1, "fans_not_well": 0},
        **{"temperature_celsius": 61, "margin_celsius": 18},
    }
    assert seen.facts == {"version": "1.15.0", "vendor": "Contoso"}


async def test_controller_with_subsystems(ask: Asked) -> None:
    """As they are since 2020."""
    bmc = Bmc(deepcopy(RESOURCES | SUBSYSTEMS))
    async with serving(bmc.routes) as url:
        seen = await ask("redfish", as_user(url))
    assert (seen.outcome, seen.measures["power_supplies"], seen.measures["fans"]) == ("ok", 1, 2), seen


async def test_session_is_opened_once_and_ended(ask: Asked) -> None:
    """Controllers stand few of them."""
    bmc = Bmc()
    async with serving(bmc.routes) as url:
        assert (await ask("redfish", as_user(url, login="session"))).outcome == "ok"
    assert (bmc.opened, bmc.sessions) == (1, set())


@pytest.mark.parametrize("login", ["basic", "session"])
async def test_login_that_is_refused_is_told(login: str, ask: Asked) -> None:
    """Told from a server that is not well."""
    async with serving(Bmc().routes) as url:
        seen = await ask("redfish", as_user(url, login=login, password="wrong"))
    assert (seen.outcome, seen.failure) == ("failed", "login_refused")


@pytest.mark.parametrize(
    ("path", "health", "outcome", "measure"),
    [
        ("/Drives/2", "Warning", "degraded", "drives_not_well"),
        ("/Drives/2", "Critical", "failed", "drives_not_well"),
        ("/Systems/1", "Critical", "failed", "systems_not_well"),
    ],
)
async def test_part_that_is_not_well_is_named(path: str, health: str, outcome: str, measure: str, ask: Asked) -> None:
    """The worst part decides."""
    bmc = Bmc()
    bmc.resources[path]["Status"] = {"State": "Enabled", "Health": health}
    async with serving(bmc.routes) as url:
        seen = await ask("redfish", as_user(url))
    assert (seen.outcome, seen.failure, seen.measures[measure]) == (outcome, "health", 1), seen
    assert bmc.resources[path]["Name"] in seen.detail


async def test_power_supply_that_failed_is_named(ask: Asked) -> None:
    """In the resource of its chassis."""
    bmc = Bmc()
    bmc.resources["/Chassis/1/Power"]["PowerSupplies"][1]["Status"] = {"State": "Enabled", "Health": "Critical"}
    async with serving(bmc.routes) as url:
        seen = await ask("redfish", as_user(url))
    assert (seen.outcome, seen.measures["power_supplies_not_well"]) == ("failed", 1)
    assert "PSU 2" in seen.detail


@pytest.mark.parametrize(
    ("path", "resource", "failure"),
    [
        ("/", "no json", "protocol"),
        ("/", "[]", "protocol"),
        ("/", {"Systems": 1}, "protocol"),
        ("/Systems", {"Members": [{}]}, None),
        ("/Systems", {"Members": [{"@odata.id": "http://other.example.org/"}]}, "redirect"),
        ("/Systems", {"Members": [link("/Systems/9")]}, "http_status"),
        ("/Systems", {"Members": [link("/Systems/1")] * 200}, "too_large"),
        ("/Systems/1/Storage/1", {"Drives": "none", "Status": []}, None),
        ("/Drives/1", {"Status": "well", "PredictedMediaLifeLeftPercent": "much"}, None),
        ("/Chassis/1/Thermal", {"Fans": {}, "Temperatures": [None, {"ReadingCelsius": None}]}, None),
    ],
)
async def test_controller_that_lies_does_no_harm(path: str, resource: Any, failure: str | None, ask: Asked) -> None:
    """A circle, another host, or types that no schema has."""
    bmc = Bmc()
    bmc.resources[path] = resource
    async with serving(bmc.routes) as url:
        seen = await ask("redfish", as_user(url))
    assert seen.failure == failure, seen
