"""A hospital's inventory that really runs, behind a console, with something between them that can fail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.inventory.endoflife.schedule import EndOfLifeSchedule
from tests.harness import Harness

INVENTORY = "/inventory/v1"
ALERTS = "/probes/v1/alerts"
NOBODY = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b99"
HOSTILE = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


@dataclass
class Between:
    """Passes requests on. A path in ``failing`` is answered with that status, one in ``told`` with these items."""

    services: ASGIApp
    failing: dict[str, int] = field(default_factory=dict)
    told: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {ALERTS: []})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = next((self.failing[path] for path in self.failing if re.fullmatch(path, scope["path"])), None)
        if status is not None:
            await JSONResponse({"title": "no"}, status)(scope, receive, send)
        elif scope["path"] in self.told:
            await JSONResponse({"items": self.told[scope["path"]], "next": None})(scope, receive, send)
        else:
            await self.services(scope, receive, send)


@dataclass(frozen=True)
class Hospital:
    """The console before a running inventory."""

    steward: Harness
    between: Between
    console: ASGIApp

    def visit(self, name: str = "alice", *grants: str) -> httpx.AsyncClient:
        """The browser of somebody who has signed in, without grants as the group's administrator."""
        cookies = {"steward_console": self.steward.issuer.token(name, grants or ("group-admin:*",))}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.console), base_url="http://steward", cookies=cookies
        )

    async def page(self, path: str, *, status: int = 200, **query: str) -> str:
        """A page as the administrator gets it, each run of white space as one space."""
        answer = await self.visit().get(f"/console{path}", params=query)
        assert answer.status_code == status, answer.text
        return " ".join(answer.text.split())

    async def add(self, thing: str, body: Mapping[str, Any], **headers: str) -> dict[str, Any]:
        """What the administrator's POST made."""
        answer = await self.steward.admin.post(f"{INVENTORY}/{thing}", json=body, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def look_at_ends(self) -> None:
        """Has inventory work out which components end when, as it does by itself each day."""
        schedule = EndOfLifeSchedule(self.steward.pools["inventory"], lambda: datetime.now(UTC), rest=0)
        await schedule.look_at_all()


def part_of(html: str, heading: str) -> str:
    """The section of a page that has that id on its heading."""
    return html.split(f'<section aria-labelledby="{heading}">')[1].split("</section>")[0]


def check_accessible(html: str) -> None:
    """Language, landmarks, header cells with a scope, a word beside every mark, no script, no inline style."""
    assert '<html lang="en">' in html
    for landmark in ("<header>", "<nav aria-label=", '<main id="content">'):
        assert landmark in html
    assert not re.search(r"<th(?! scope=)[ >]", html)
    assert not re.search(r' style=|<style|<script| on\w+="', html)
    marks = re.findall(r'<span class="mark [a-z]+"><span aria-hidden="true">.</span> ([^<]*)</span>', html)
    assert len(marks) == html.count('class="mark ')
    assert all(mark.strip() for mark in marks)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', html)) <= set(ids)
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)


def check_harmless(html: str, times: int) -> None:
    """Hostile text stands there as text, at least so many times, and nothing of it became markup or was evaluated."""
    assert html.count("<script") == 0
    assert "<img" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= times
    assert "{{ 7*7 }}" in html
    assert html.count("<title>") == html.count("</title>") == 1
