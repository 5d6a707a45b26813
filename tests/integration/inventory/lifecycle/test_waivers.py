"""Waivers over HTTP: two people, an end, and never for what must be proved."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.inventory.assets.handlers import find_asset
from services.inventory.lifecycle.domain import GateClosed
from services.inventory.lifecycle.handlers import gates_of, move_asset
from services.inventory.policies.handlers import BUILT_IN
from services.inventory.waivers.handlers import decide_waiver, request_waiver
from shared.errors import Conflict
from shared.transactions import begin
from tests.harness import Harness
from tests.integration.inventory.earning import earn, give, waive
from tests.integration.inventory.lifecycle.steps import ask_move, gate, why
from tests.integration.inventory.requests import ASSETS, check_malformed, register_system

WAIVERS = "/inventory/v1/waivers"
KIND = "open_window"


def request(**changes: Any) -> dict[str, Any]:
    """A waiver of a day."""
    expires_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    return {"kind": KIND, "reason": "The storm has done it already", "expires_at": expires_at} | changes


async def ask(steward: Harness, asset: dict[str, Any], who: str = "alice", **changes: Any) -> httpx.Response:
    """The answer to somebody who asks for a waiver."""
    client = steward.as_(who, "operator:north", "approver:north")
    return await client.post(f"{ASSETS}/{asset['id']}/waivers", json=request(**changes))


async def decide(
    steward: Harness, waiver: dict[str, Any], what: str, who: str = "bruno", version: int = 1
) -> httpx.Response:
    """The answer to an approval, a rejection or a withdrawal."""
    client = steward.as_(who, "operator:north", "approver:north")
    headers = {"If-Match": f'"{version}"'}
    return await client.post(f"{WAIVERS}/{waiver['id']}/{what}", json={"reason": "so be it"}, headers=headers)


async def test_waiver_counts_once_another_person_has_approved_it(steward: Harness) -> None:
    """Asked for it does nothing; who asked can't approve it; approved it opens the gate, withdrawn it closes it."""
    system = await register_system(steward)
    waiver = (await ask(steward, system)).json()
    assert (waiver["state"], waiver["requested_by"]) == ("requested", "alice")
    assert await why(steward, system, "maintenance", KIND) == "nothing was recorded"
    own = await decide(steward, waiver, "approval", who="alice")
    assert (own.status_code, own.json()["requested_by"]) == (409, "alice")
    approved = await decide(steward, waiver, "approval")
    assert (approved.status_code, approved.headers["etag"], approved.json()["decided_by"]) == (200, '"2"', "bruno")
    met = {one["kind"]: one["by"] for one in (await gate(steward, system, "maintenance"))["met"]}
    assert met[KIND] == [f"waiver {waiver['id']}"]
    told = await steward.heard.until("waiver.changed", lambda event: event.data.state == "approved")
    assert (told.subject, told.actor, told.data.requested_by, told.data.decided_by) == (
        system["id"],
        "bruno",
        "alice",
        "bruno",
    )
    assert (await decide(steward, waiver, "rejection", version=2)).status_code == 409
    assert (await decide(steward, waiver, "withdrawal", version=2)).status_code == 200
    assert await why(steward, system, "maintenance", KIND) == "nothing was recorded"
    assert (await decide(steward, waiver, "withdrawal", version=3)).status_code == 409


async def test_rejected_waiver_opens_nothing(steward: Harness) -> None:
    """And is not approved afterwards."""
    system = await register_system(steward)
    waiver = (await ask(steward, system)).json()
    assert (await decide(steward, waiver, "rejection", who="alice")).status_code == 409
    assert (await decide(steward, waiver, "rejection")).json()["state"] == "rejected"
    assert (await decide(steward, waiver, "approval", version=2)).status_code == 409
    assert await why(steward, system, "maintenance", KIND) is not None


async def test_expired_waiver_does_not_count(steward: Harness) -> None:
    """Nor can one be approved after its end: both in a past that the handlers are given."""
    system = await register_system(steward)
    pool = steward.pools["inventory"]
    past = datetime.now(UTC) - timedelta(days=10)
    async with begin(pool, "inventory", actor="alice", now=past) as tx:
        used = await request_waiver(tx, system["id"], KIND, "once", past + timedelta(days=5))
        late = await request_waiver(tx, system["id"], KIND, "once", past + timedelta(days=5))
    async with begin(pool, "inventory", actor="bruno", now=past + timedelta(days=1)) as tx:
        await decide_waiver(tx, used.id, 1, "approved", "fair")
    assert (await steward.admin.get(f"{WAIVERS}/{used.id}")).json()["state"] == "approved"
    assert await why(steward, system, "maintenance", KIND) == "nothing was recorded"
    refused = await decide(steward, {"id": late.id}, "approval")
    assert (refused.status_code, "expired" in refused.json()["detail"]) == (409, True)
    with pytest.raises(Conflict):
        async with begin(pool, "inventory", actor="alice") as tx:
            await decide_waiver(tx, late.id, 1, "approved", "my own")


async def test_waiver_that_expires_between_two_looks_opens_nothing(steward: Harness) -> None:
    """The gates were open when they were looked at, and are closed at the instant of its end; so is the move."""
    system = await register_system(steward)
    waiver = await waive(steward, system, KIND, days=1)
    await give(steward, system, "approved_work")
    pool, end = steward.pools["inventory"], datetime.fromisoformat(waiver["expires_at"])
    async with pool.acquire() as conn:
        asset = await find_asset(conn, system["id"])
        looks = [await gates_of(conn, asset, now) for now in (end - timedelta(microseconds=1), end)]
    allowed = [one.allowed for look in looks for one in look.next if one.to_state == "maintenance"]
    assert allowed == [True, False]
    with pytest.raises(GateClosed, match="Open maintenance window"):
        async with begin(pool, "inventory", actor="alice", now=end) as tx:
            await move_asset(tx, system["id"], system["version"], "maintenance", "the work begins")
    assert (await steward.admin.get(f"{ASSETS}/{system['id']}")).json()["state"] == "in_service"


async def test_what_must_be_proved_is_never_waived(steward: Harness) -> None:
    """Sanitization, custody, dossier, signatures and all else that the policy says so of."""
    system = await register_system(steward)
    never = {kind for kind, about in BUILT_IN.policy.evidence.items() if not about.waivable}
    assert {"sanitization_certificate", "custody_chain", "dossier", "go_live_sign_offs"} <= never
    for kind in never:
        answer = await ask(steward, system, kind=kind)
        assert (answer.status_code, "no waiver" in answer.json()["detail"]) == (409, True), kind


async def test_malformed_waiver_is_refused_field_by_field(steward: Harness) -> None:
    """An end that is past or further than the policy allows, a kind that is none, no reason."""
    system = await register_system(steward)
    now = datetime.now(UTC)
    days = BUILT_IN.policy.max_waiver_days
    faults: list[tuple[str, dict[str, Any]]] = [
        ("kind", {"kind": "luck"}),
        ("reason", {"reason": " "}),
        ("expires_at", {"expires_at": (now - timedelta(seconds=1)).isoformat()}),
        ("expires_at", {"expires_at": (now + timedelta(days=days, minutes=5)).isoformat()}),
        ("expires_at", {"expires_at": "2026-03-01T22:00:00"}),
        ("expires_at", {"expires_at": None}),
        ("state", {"state": "approved"}),
    ]
    for field, change in faults:
        check_malformed(await ask(steward, system, **change), field)
    last = (now + timedelta(days=days) - timedelta(minutes=5)).isoformat()
    assert (await ask(steward, system, expires_at=last)).status_code == 201


async def test_role_decides_who_asks_and_who_approves(steward: Harness) -> None:
    """An administrator does not approve, an approver does not ask, and another site's see nothing."""
    system = await register_system(steward)
    waiver = (await ask(steward, system)).json()
    headers = {"If-Match": '"1"'}
    url = f"{WAIVERS}/{waiver['id']}/approval"
    admin = await steward.admin.post(url, json={"reason": "x"}, headers=headers)
    south = await steward.as_("sam", "approver:south").post(url, json={"reason": "x"}, headers=headers)
    approver = steward.as_("anna", "approver:north")
    asked = await approver.post(f"{ASSETS}/{system['id']}/waivers", json=request())
    assert (admin.status_code, south.status_code, asked.status_code) == (403, 404, 403)
    assert (await approver.post(url, json={"reason": "x"})).status_code == 428
    assert (await decide(steward, waiver, "approval", version=7)).status_code == 412


async def test_of_simultaneous_verdicts_one_wins(steward: Harness) -> None:
    """The other one is stale or too late."""
    system = await register_system(steward)
    waiver = (await ask(steward, system)).json()
    answers = await asyncio.gather(
        decide(steward, waiver, "approval", who="bruno"), decide(steward, waiver, "rejection", who="clara")
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_withdrawal_and_move_at_once_never_both_count(steward: Harness) -> None:
    """Either the move came first, or it was refused."""
    for number in range(4):
        system = await register_system(steward, name=f"Archive {number}")
        await earn(steward, system, "maintenance")
        [waiver] = (await steward.admin.get(f"{ASSETS}/{system['id']}/waivers")).json()["items"]
        moved, withdrawn = await asyncio.gather(
            ask_move(steward, system, "maintenance"), decide(steward, waiver, "withdrawal", version=2)
        )
        assert withdrawn.status_code == 200
        assert moved.status_code in (200, 409)
        [decision] = (await steward.admin.get(f"{ASSETS}/{system['id']}/decisions")).json()["items"]
        assert (moved.status_code == 200) == (KIND in {one["kind"] for one in decision["met"]})


async def test_waiver_of_one_system_is_none_for_another(steward: Harness) -> None:
    """Each asset has its own."""
    system, other = await register_system(steward), await register_system(steward, name="Other")
    await waive(steward, system, KIND)
    assert await why(steward, system, "maintenance", KIND) is None
    assert await why(steward, other, "maintenance", KIND) == "nothing was recorded"
