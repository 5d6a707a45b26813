"""Versions of the policy over HTTP: who publishes them, which are refused, and whom they judge."""

import asyncio
import json
from copy import deepcopy
from typing import Any

import httpx

from tests.harness import Harness
from tests.integration.inventory.earning import earn
from tests.integration.inventory.lifecycle.steps import ask_move, gate
from tests.integration.inventory.requests import ASSETS, check_malformed, register_system

POLICIES = "/inventory/v1/policies"


async def newest(steward: Harness, version: int) -> dict[str, Any]:
    """The first policy, to be published as another version."""
    first: dict[str, Any] = (await steward.admin.get(f"{POLICIES}/1")).json()["policy"]
    return deepcopy(first) | {"version": version}


async def publish(steward: Harness, policy: dict[str, Any]) -> httpx.Response:
    """The administrator's answer."""
    return await steward.admin.post(POLICIES, json=policy)


async def test_first_policy_comes_with_steward(steward: Harness) -> None:
    """Everybody sees it, whole; there is no other yet."""
    viewer = steward.as_("vera", "viewer:south")
    [first] = (await viewer.get(POLICIES)).json()["items"]
    assert (first["version"], first["published_by"], first["published_at"]) == (1, "service:inventory", None)
    assert (await viewer.get(f"{POLICIES}/1")).json() == first
    assert (await viewer.get(f"{POLICIES}/2")).status_code == 404
    assert (await viewer.get(f"{POLICIES}/0")).status_code == 422


async def test_new_version_judges_what_was_recorded_before_and_old_decisions_keep_theirs(steward: Harness) -> None:
    """What served under version 1 may not under 2; each decision names the version that it was made under."""
    system = await register_system(steward)
    await earn(steward, system, "retiring")
    assert (await gate(steward, system, "retiring"))["allowed"]
    policy = await newest(steward, 2)
    policy["title"] = "Plans on paper only"
    policy["evidence"]["replacement_plan"]["sources"] = [{"type": "document", "kinds": ["agreement"]}]
    published = await publish(steward, policy)
    assert (published.status_code, published.json()["published_by"]) == (201, "admin")
    told = await steward.heard.until("policy.changed")
    assert (told.subject, told.site_id, told.data.policy_version) == ("group", "group", 2)
    assert told.data.sha256 == published.json()["sha256"]
    refused = await ask_move(steward, system, "retiring")
    assert (refused.status_code, refused.json()["policy_version"]) == (409, 2)
    assert [one["why"] for one in refused.json()["missing"]] == ["the policy does not take what was recorded any more"]
    assert (await publish(steward, await newest(steward, 3))).status_code == 201
    assert (await ask_move(steward, system, "retiring")).status_code == 200
    decisions = (await steward.admin.get(f"{ASSETS}/{system['id']}/decisions")).json()["items"]
    assert [(one["policy_version"], one["allowed"]) for one in decisions] == [(2, False), (3, True)]
    shown = (await steward.admin.get(f"{POLICIES}/2")).json()
    assert (shown["policy"]["title"], shown["sha256"]) == ("Plans on paper only", told.data.sha256)


async def test_versions_are_counted_and_listed_in_pages(steward: Harness) -> None:
    """Only the next number is taken; of two at once, one."""
    assert (await publish(steward, await newest(steward, 1))).status_code == 409
    assert (await publish(steward, await newest(steward, 3))).status_code == 409
    policy = await newest(steward, 2)
    answers = await asyncio.gather(publish(steward, policy), publish(steward, policy))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    first = (await steward.admin.get(POLICIES, params={"limit": 1})).json()
    second = (await steward.admin.get(POLICIES, params={"limit": 1, "cursor": first["next"]})).json()
    assert [one["version"] for one in first["items"] + second["items"]] == [1, 2]
    assert second["next"] is None
    check_malformed(await steward.admin.get(POLICIES, params={"cursor": "x"}), "cursor")


async def test_unsound_policy_is_refused_with_all_its_faults(steward: Harness) -> None:
    """422 names each field, and the old version stays in force."""
    policy = await newest(steward, 2)
    policy["moves"].append({"from_state": "isolated", "to_state": "in_service"})
    policy["moves"].append({"from_state": "in_service", "to_state": "closed"})
    policy["moves"][0]["gates"][0]["needs"].append("luck")
    answer = await publish(steward, policy)
    assert answer.status_code == 422
    faults = [error["field"] for error in answer.json()["errors"]]
    assert faults == ["moves.0.gates.0.needs", "moves.21.to_state", "moves.22.from_state"]
    assert len((await steward.admin.get(POLICIES)).json()["items"]) == 1
    unknown = await publish(steward, await newest(steward, 2) | {"colour": "blue"})
    check_malformed(unknown, "colour")


async def test_only_the_groups_administrators_publish(steward: Harness) -> None:
    """Not those of one site, whatever else they may."""
    policy = json.dumps(await newest(steward, 2))
    headers = {"Content-Type": "application/json"}
    for grants in (("site-admin:*",), ("approver:*",), ("group-admin:north",)):
        answer = await steward.as_("sam", *grants).post(POLICIES, content=policy, headers=headers)
        assert answer.status_code == 403, grants
