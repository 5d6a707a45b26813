"""A console in the test's own process, before a made-up group or a real inventory, and visitors with tokens."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import cast

import httpx
import pytest
from starlette.types import ASGIApp

from services.console import __main__ as wiring
from services.console.__main__ import build_app
from services.console.rest import StewardApi
from services.console.settings import ConsoleSettings
from services.inventory.__main__ import build
from services.inventory.settings import InventorySettings
from shared.http import mount_services
from shared.issuer import Issuer
from tests.integration.conftest import Run
from tests.integration.console.group import Group, two_hospitals
from tests.integration.console.hospital import Between, Hospital
from tests.integration.inventory.conftest import SITES
from tests.news import WAIT_SECONDS

Visit = Callable[..., httpx.AsyncClient]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The console goes without no service that would answer in the end, however busy the machine is."""
    monkeypatch.setattr(wiring, "StewardApi", partial(StewardApi, seconds=WAIT_SECONDS))


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    """The issuer whose tokens the console believes."""
    return Issuer(tmp_path / "issuer")


@pytest.fixture
def group() -> Group:
    """What the other services answer."""
    return two_hospitals()


@pytest.fixture
def console(issuer: Issuer, group: Group) -> ASGIApp:
    """The console, mounted as everywhere."""
    settings = ConsoleSettings(oidc_jwks=str(issuer.jwks_file), console_api="http://steward")
    app = build_app(settings, httpx.ASGITransport(group, raise_app_exceptions=False))
    return mount_services({"console": app})


@pytest.fixture
def visit(console: ASGIApp, issuer: Issuer) -> Visit:
    """A browser: ``visit()`` is a stranger's, ``visit("alice", "viewer:north")`` that of somebody who signed in."""

    def browser(name: str = "", *grants: str) -> httpx.AsyncClient:
        cookies = {"steward_console": issuer.token(name, grants)} if name else {}
        return httpx.AsyncClient(transport=httpx.ASGITransport(console), base_url="http://steward", cookies=cookies)

    return browser


@pytest.fixture
async def hospital(run: Run) -> AsyncIterator[Hospital]:
    """Inventory with the sites north and south, and no alert anywhere."""
    async with run(inventory=(build, InventorySettings, {})) as steward:
        between = Between(cast(httpx.ASGITransport, steward.http._transport).app)
        settings = ConsoleSettings(oidc_jwks=str(steward.issuer.jwks_file), console_api="http://steward")
        console = build_app(settings, httpx.ASGITransport(between, raise_app_exceptions=False))
        hospital = Hospital(steward, between, mount_services({"console": console}))
        for site in SITES:
            await hospital.add("sites", site)
        yield hospital
