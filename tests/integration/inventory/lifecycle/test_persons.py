"""Two people are two people: not two logins of one, not somebody and his API key, and never a program."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shared.events import GROUP
from shared.events.compliance import KeyChanged
from shared.identity import digest
from tests.harness import Harness, Voice
from tests.integration.conftest import Speak
from tests.integration.inventory.components.parts import install
from tests.integration.inventory.earning import name_document
from tests.integration.inventory.lifecycle.steps import why
from tests.integration.inventory.requests import ASSETS, PEOPLE, PERSON, move, post, register_system
from tests.news import until

CERTIFICATE, VALIDATED = "sanitization_certificate", "sanitization_validated"
APPROVER = ("operator:north", "approver:north")


async def known_as(steward: Harness, site: str, login: str, email: str) -> None:
    """Somebody at a site, by his login and mailbox."""
    await post(steward, PEOPLE, PERSON | {"site_id": site, "login": login, "email": email})


@pytest.fixture
async def ada(steward: Harness) -> tuple[str, str]:
    """The two logins of Ada Berg, who works at both sites."""
    await known_as(steward, "north", "ada.berg", "Ada.Berg@north.example.org")
    await known_as(steward, "south", "aberg", "ada.berg@NORTH.example.org")
    return "ada.berg", "aberg"


async def key_of(steward: Harness, compliance: Voice, name: str, issuer: str, *grants: str) -> httpx.AsyncClient:
    """A client with an API key that somebody has issued."""
    secret = f"stw_{secrets.token_urlsafe(16)}"
    ends = datetime.now(UTC) + timedelta(days=1)
    told = KeyChanged(name=name, sha256=digest(secret), grants=list(grants), expires_at=ends, issued_by=issuer)
    await compliance.say(told, subject=f"id-of-{name}", site_id=GROUP)
    client = steward.as_("nobody")
    client.headers["Authorization"] = f"Bearer {secret}"
    await until(steward.pools["inventory"], "SELECT EXISTS (SELECT FROM api_keys WHERE name = $1)", name)
    return client


async def ask(client: httpx.AsyncClient, system: dict[str, Any]) -> dict[str, Any]:
    """A waiver that is asked for."""
    ends = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"kind": "open_window", "reason": "The storm has done it already", "expires_at": ends}
    answer = await client.post(f"{ASSETS}/{system['id']}/waivers", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def approve(client: httpx.AsyncClient, waiver: dict[str, Any]) -> httpx.Response:
    """The answer to who approves it."""
    url = f"/inventory/v1/waivers/{waiver['id']}/approval"
    return await client.post(url, json={"reason": "so be it"}, headers={"If-Match": '"1"'})


async def test_second_login_of_who_asked_approves_no_waiver(steward: Harness, ada: tuple[str, str]) -> None:
    """Whichever of the two asks; somebody else approves it."""
    system = await register_system(steward)
    for first, second in (ada, ada[::-1]):
        waiver = await ask(steward.as_(first, *APPROVER), system)
        refused = await approve(steward.as_(second, *APPROVER), waiver)
        assert (refused.status_code, refused.json()["requested_by"]) == (409, first)
        assert f"{second} has asked for this waiver, as {first}" in refused.json()["detail"]
        assert (await approve(steward.as_("bruno", *APPROVER), waiver)).status_code == 200


async def test_key_is_no_second_person_beside_who_issued_it(
    steward: Harness, speak: Speak, ada: tuple[str, str]
) -> None:
    """What a key asks for, its issuer has asked for, also by a key that his key has issued; and no key approves."""
    system = await register_system(steward)
    async with speak("compliance") as compliance:
        first = await key_of(steward, compliance, "first", ada[0], *APPROVER)
        second = await key_of(steward, compliance, "second", "key:first", *APPROVER)
        for key in (first, second):
            waiver = await ask(key, system)
            assert (await approve(steward.as_(ada[1], *APPROVER), waiver)).status_code == 409
            other = await ask(steward.as_("bruno", *APPROVER), system)
            refused = await approve(key, other)
            assert (refused.status_code, "no person" in refused.json()["detail"]) == (403, True)
            assert (await approve(steward.as_("bruno", *APPROVER), waiver)).status_code == 200


async def sign(client: httpx.AsyncClient, asset: dict[str, Any], kind: str, **more: Any) -> httpx.Response:
    """The answer to a signature."""
    body = {"kind": kind, "statement": "I have seen it with my own eyes.", **more}
    return await client.post(f"{ASSETS}/{asset['id']}/signatures", json=body)


async def test_one_person_signs_in_one_capacity(steward: Harness, ada: tuple[str, str]) -> None:
    """Radiology and IT are not the two logins of one person."""
    system = await register_system(steward, state="proposed")
    kind = "go_live_sign_offs"
    assert (await sign(steward.as_(ada[0], *APPROVER), system, kind, capacity="radiology")).status_code == 201
    refused = await sign(steward.as_(ada[1], *APPROVER), system, kind, capacity="it")
    assert (refused.status_code, "ada.berg has signed as radiology" in refused.json()["detail"]) == (409, True)
    assert (await sign(steward.as_("bruno", *APPROVER), system, kind, capacity="it")).status_code == 201


async def test_nobody_validates_his_own_certificate_by_another_login(steward: Harness) -> None:
    """Neither when he signs, nor when it is found out later that the two are one."""
    drive = await install(steward, "drive", manufacturer="S", serial="S1")
    drive = await move(steward, drive, "retiring", "migrated", "isolated")
    await name_document(steward, drive, CERTIFICATE, "certificate")
    await known_as(steward, "north", "admin", "ada.berg@north.example.org")
    await known_as(steward, "south", "aberg", "ada.berg@north.example.org")
    refused = await sign(steward.as_("aberg", *APPROVER), drive, VALIDATED)
    assert (refused.status_code, "admin has recorded" in refused.json()["detail"]) == (409, True)
    assert (await sign(steward.as_("bruno", *APPROVER), drive, VALIDATED)).status_code == 201
    assert await why(steward, drive, "sanitized", VALIDATED) is None
    await known_as(steward, "south", "bruno", "bruno@south.example.org")
    [person] = [one for one in (await steward.admin.get(PEOPLE)).json()["items"] if one["login"] == "admin"]
    details = {name: person[name] for name in ("name", "roles", "active", "login")}
    url = f"{PEOPLE}/{person['id']}"
    renamed = details | {"email": "bruno@south.example.org"}
    assert (await steward.admin.put(url, json=renamed, headers={"If-Match": '"1"'})).status_code == 200
    assert await why(steward, drive, "sanitized", VALIDATED) is not None
