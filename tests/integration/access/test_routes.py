"""Every route of every service, whoever asks: what is not yours does not exist, and each role does what it declares."""

from collections.abc import Mapping
from uuid import uuid4

import httpx

from shared.grants import INCLUDES, ROLES
from tests.integration.access.group import Endpoint, Group

OF_ONE_SITE = (
    "system_id",
    "node_id",
    "person_id",
    "window_id",
    "patch_id",
    "set_id",
    "run_id",
    "check_id",
    "report_id",
    "component_id",
    "contract_id",
    "link_id",
    "import_id",
)


def may(role: str, endpoint: Endpoint) -> bool:
    """Whether the role holds what the route declares."""
    return endpoint.role in INCLUDES[role]


def told_of_north(group: Group, answer: httpx.Response, asked: Mapping[str, str]) -> list[str]:
    """What an answer tells of north that its question did not name."""
    named = set(asked.values())
    ids = {group.ids["north"][name] for name in OF_ONE_SITE} - named
    return [word for word in (*ids, *group.names("north")) if word in answer.text]


async def test_nobody_gets_in_without_a_token(group: Group) -> None:
    """401 comes before anything is told of the address, the body or the headers."""
    for endpoint in group.endpoints:
        url = f"/{endpoint.service}{endpoint.path.format_map(group.ids['north'])}"
        answer = await group.ask(group.steward.http, endpoint, group.ids["north"])
        spoilt = await group.steward.http.request(endpoint.method, url, content=b"{")
        assert (answer.status_code, spoilt.status_code) == (401, 401), str(endpoint)


async def test_what_another_site_has_does_not_exist(group: Group) -> None:
    """Whatever role somebody has at south: lists show nothing of north, and its things read like none at all."""
    north = group.ids["north"]
    absent = {name: str(uuid4()) for name in north} | {
        "index": str(2**40),
        "path": north["path"],
        "resource": north["resource"],
        "since": north["since"],
        "at": north["at"],
        "until": north["until"],
    }
    absent |= {"site_id": "nowhere", "id": "nowhere", "sha256": "0" * 64, "document_version": "1", "measure": "none"}
    for role in ROLES:
        async with group.steward.as_("sam", f"{role}:south") as sam:
            for endpoint in group.endpoints:
                answer = await group.ask(sam, endpoint, north)
                told = f"{role}: {endpoint} → {answer.status_code} {answer.text[:300]}"
                if not may(role, endpoint) or (endpoint.is_shared and endpoint.method != "GET"):
                    assert answer.status_code == 403, told
                elif endpoint.is_shared or (endpoint.is_list and not endpoint.is_group_wide):
                    assert answer.status_code == 200, told
                    assert not told_of_north(group, answer, {}), told
                else:
                    missing = await group.ask(sam, endpoint, absent)
                    refusal = 403 if endpoint.is_openly_refused else 404
                    assert {_status(endpoint, one) for one in (answer, missing)} == {refusal}, told
                    assert _without(answer, north) == _without(missing, absent), told


def _status(endpoint: Endpoint, answer: httpx.Response) -> int:
    """The answer's, or that of its only row."""
    if not endpoint.is_bulk or not answer.is_success:
        return answer.status_code
    [row] = answer.json()["rows"]
    status: int = row["problem"]["status"]
    return status


def _without(answer: httpx.Response, ids: Mapping[str, str]) -> str:
    told = answer.json()
    for row in told.get("rows", ()):
        told = row["problem"]
    detail: str = told.get("detail", answer.text)
    # Longest first: an index of one digit also stands in other ids.
    for value in sorted(ids.values(), key=len, reverse=True):
        detail = detail.replace(value, "…")
    return detail


async def test_filters_and_cursors_show_nothing_of_another_site(group: Group) -> None:
    """A filter that names a thing of north, or a cursor that does, opens nothing."""
    north = group.ids["north"]
    given = {**north, "subject": north["node_id"], "about": north["window_id"], "type": "asset.changed", "cursor": "a"}
    async with group.steward.as_("sam", "viewer:south", "auditor:south") as sam:
        for endpoint in group.endpoints:
            if endpoint.is_list and not endpoint.is_group_wide and endpoint.role in ("viewer", "auditor"):
                for name in endpoint.query & given.keys():
                    asked = {name: given[name]}
                    answer = await group.ask(sam, endpoint, north, **asked)
                    assert answer.status_code in (200, 404, 422), f"{endpoint} {asked} → {answer.text[:300]}"
                    named = asked | {needed: north[needed] for needed in endpoint.required}
                    assert not told_of_north(group, answer, named), f"{endpoint} {asked} → {answer.text[:300]}"


async def test_too_little_a_role_is_refused(group: Group) -> None:
    """Even where it holds for the whole group, and even by who has the role that it takes, but at the other site."""
    north = group.ids["north"]
    for role in ROLES:
        everywhere = group.steward.as_("nora", f"{role}:*")
        divided = group.steward.as_("nora", f"{role}:north", "site-admin:south", "auditor:south", "group-admin:south")
        async with everywhere, divided:
            for endpoint in group.endpoints:
                if not may(role, endpoint):
                    answer = await group.ask(everywhere, endpoint, north)
                    assert answer.status_code == 403, f"{role}: {endpoint} → {answer.text[:300]}"
                    if not endpoint.is_list or endpoint.is_group_wide:
                        answer = await group.ask(divided, endpoint, north)
                        status = _status(endpoint, answer)
                        assert status in (403, 404), f"{role}: {endpoint} → {answer.text[:300]}"


async def test_declared_role_is_enough(group: Group) -> None:
    """For what belongs to one site a grant for that site, for what belongs to the group a grant for all."""
    for endpoint in group.endpoints:
        site_id = "*" if endpoint.is_group_wide or (endpoint.is_shared and endpoint.method != "GET") else "north"
        async with group.steward.as_("nora", f"{endpoint.role}:{site_id}") as nora:
            answer = await group.ask(nora, endpoint, group.ids["north"])
            assert answer.is_success or answer.status_code in (409, 412), f"{endpoint} → {answer.text[:300]}"
