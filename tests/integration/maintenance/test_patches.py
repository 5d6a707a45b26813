"""Patches over HTTP and on the bus."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.conftest import Run
from tests.integration.maintenance.ground import (
    ARCHIVE,
    CLOSED,
    MAINTENANCE,
    PATCHES,
    SOUTHERN,
    UNKNOWN,
    VIEWER,
    as_json,
    system,
    tell,
    tell_of_two_hospitals,
)

PATCH: dict[str, Any] = {"system_id": ARCHIVE, "to_version": "12.4", "summary": "Vendor fix for slow retrieval."}


async def test_recorded_patch_is_published_with_both_versions(run: Run) -> None:
    """patch.applied goes out under the system, from what it ran to what it runs."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        olga = steward.as_("olga", "operator:north")
        applied_at = (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=0)
        answer = await olga.post(PATCHES, json=PATCH | {"applied_at": applied_at.isoformat()})
        assert answer.status_code == 201, answer.text
        patch = answer.json()
        assert (patch["from_version"], patch["to_version"], patch["recorded_by"]) == ("12.3", "12.4", "olga")
        event = await steward.heard.until("patch.applied")
        assert (event.subject, event.site_id, event.actor) == (ARCHIVE, "north", "olga")
        assert (event.data.patch_id, event.data.from_version, event.data.to_version) == (patch["id"], "12.3", "12.4")
        assert event.data.applied_at == applied_at
        assert (await olga.get(f"{PATCHES}/{patch['id']}")).json() == patch


async def test_patch_without_a_time_was_applied_now(run: Run) -> None:
    """The instant of the record."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        patch = (await steward.admin.post(PATCHES, json=PATCH)).json()
        assert patch["applied_at"] == patch["recorded_at"]


async def test_repeated_request_with_its_key_records_one_patch(run: Run) -> None:
    """An Idempotency-Key makes a second POST a replay of the first answer, not a 409."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        key = {"Idempotency-Key": str(uuid4())}
        first = await steward.admin.post(PATCHES, json=PATCH, headers=key)
        second = await steward.admin.post(PATCHES, json=PATCH, headers=key)
        assert (second.status_code, second.json()) == (201, first.json())
        assert (await steward.admin.post(PATCHES, json=PATCH)).status_code == 409


async def test_second_patch_starts_from_the_first_before_inventory_knows(run: Run) -> None:
    """A report from before the first patch, older or newer, puts nothing back; inventory's own correction counts."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)

        async def patch_to(version: str) -> str:
            answer = await steward.admin.post(PATCHES, json=PATCH | {"to_version": version})
            return str(answer.json()["from_version"])

        assert await patch_to("12.4") == "12.3"
        await tell(steward, system("Archive A", version=2, runs="12.3"), ARCHIVE, "north")
        await tell(steward, system("Archive", version=1, runs="12.3"), ARCHIVE, "north")
        assert await patch_to("12.5") == "12.4"
        await tell(steward, system("Archive A", version=3, runs="12.4"), ARCHIVE, "north")
        assert await patch_to("12.6") == "12.5"
        await tell(steward, system("Archive A", version=5, runs="12.6"), ARCHIVE, "north")
        await tell(steward, system("Archive A", version=6, runs="11.9"), ARCHIVE, "north")
        assert await patch_to("12.7") == "11.9"


async def test_patches_at_one_moment_form_a_chain(run: Run) -> None:
    """Ten at once: each starts from the version that another one ended on."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        bodies = [PATCH | {"to_version": f"13.{n}"} for n in range(10)]
        answers = await asyncio.gather(*(steward.admin.post(PATCHES, json=body) for body in bodies))
        assert {answer.status_code for answer in answers} == {201}
        steps = {answer.json()["from_version"]: answer.json()["to_version"] for answer in answers}
        version, visited = "12.3", 0
        while version in steps:
            version, visited = steps[version], visited + 1
        assert visited == 10


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"to_version": "12.3"}, 409, None),
        ({"system_id": CLOSED}, 409, None),
        ({"system_id": UNKNOWN}, 404, None),
        ({"system_id": "archive"}, 422, "system_id"),
        ({"to_version": ""}, 422, "to_version"),
        ({"to_version": "12\n4"}, 422, "to_version"),
        ({"applied_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, 422, "applied_at"),
        ({"applied_at": "1999-12-31T23:59:59Z"}, 422, "applied_at"),
        ({"applied_at": "9999-12-31T23:59:59-12:00"}, 422, "applied_at"),
        ({"applied_at": "2026-03-01T22:00:00"}, 422, "applied_at"),
        ({"summary": "x" * 10_001}, 422, "summary"),
        ({"summary": "\ud800"}, 422, "summary"),
        ({"colour": "blue"}, 422, "colour"),
    ],
)
async def test_patch_that_cannot_be_is_refused(
    run: Run, change: dict[str, Any], status: int, field: str | None
) -> None:
    """422 names the field, the rule and an example; whatever the refusal, nothing is stored."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        answer = await steward.admin.post(PATCHES, **as_json(PATCH | change))
        assert answer.status_code == status, answer.text
        if field is not None:
            [error] = answer.json()["errors"]
            assert error["field"] == field
            assert error["rule"]
            assert error["example"]
        assert await steward.pools["maintenance"].fetchval("SELECT count(*) FROM patches") == 0


async def test_patch_of_software_that_inventory_does_not_know_is_refused(run: Run) -> None:
    """409: the event must name the version before."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        await tell(steward, system(version=2, runs=None), ARCHIVE, "north")
        assert (await steward.admin.post(PATCHES, json=PATCH)).status_code == 409


async def test_longest_summary_fits_in_any_script(run: Run) -> None:
    """Ten thousand characters of four bytes each."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        body = PATCH | {"summary": "𝄞" * 10_000, "to_version": "𝄞" * 200}
        assert (await steward.admin.post(PATCHES, json=body)).status_code == 201
        assert (await steward.heard.until("patch.applied")).data.summary == body["summary"]


async def test_patch_whose_event_would_pass_48_kib_changes_nothing(run: Run) -> None:
    """413: no record, no event, and the system still runs what it ran. It takes a long version from inventory."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        await tell(steward, system(version=2, runs="1" * 9_000), ARCHIVE, "north")
        answer = await steward.admin.post(PATCHES, json=PATCH | {"summary": "𝄞" * 10_000})
        assert answer.status_code == 413, answer.text
        for table in ("patches", "outbox"):
            assert await steward.pools["maintenance"].fetchval(f"SELECT count(*) FROM {table}") == 0
        assert (await steward.admin.post(PATCHES, json=PATCH)).json()["from_version"] == "1" * 9_000


@pytest.mark.parametrize(
    ("grant", "status"),
    [
        ("viewer:north", 403),
        ("auditor:north", 403),
        ("approver:north", 403),
        ("operator:north", 201),
        ("site-admin:north", 201),
        ("operator:*", 201),
        ("operator:south", 404),
    ],
)
async def test_who_may_record_where(run: Run, grant: str, status: int) -> None:
    """Operators of the system's site; for those outside of it the system does not exist."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        recorded = (await steward.admin.post(PATCHES, json=PATCH | {"to_version": "12.3.1"})).json()
        caller = steward.as_("somebody", "viewer:south", grant)
        answer = await caller.post(PATCHES, json=PATCH)
        assert answer.status_code == status
        if status == 404:
            assert answer.json()["detail"] == f"no system {ARCHIVE}"
        assert (await caller.get(f"{PATCHES}/{recorded['id']}")).status_code == (404 if status == 404 else 200)
        assert len((await caller.get(PATCHES)).json()["items"]) == {404: 0, 403: 1, 201: 2}[status]


async def test_lists_are_filtered_and_paged(run: Run) -> None:
    """By site and by system; pages follow each other without a gap."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        ids = [
            (await steward.admin.post(PATCHES, json=PATCH | {"system_id": system_id})).json()["id"]
            for system_id in (ARCHIVE, VIEWER, SOUTHERN)
        ]

        async def listed(**criteria: Any) -> list[int]:
            page = await steward.admin.get(PATCHES, params=criteria)
            return [ids.index(patch["id"]) for patch in page.json()["items"]]

        assert await listed() == [0, 1, 2]
        assert await listed(site_id="north") == [0, 1]
        assert await listed(system_id=SOUTHERN) == [2]
        first = (await steward.admin.get(PATCHES, params={"limit": 2})).json()
        assert await listed(cursor=first["next"]) == [2]
