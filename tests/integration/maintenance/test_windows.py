"""Maintenance windows over HTTP and on the bus."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from shared.events.inventory import AssetChanged
from tests.integration.conftest import Run
from tests.integration.maintenance.ground import (
    ARCHIVE,
    CLOSED,
    HOUR,
    MAINTENANCE,
    SOUTHERN,
    UNKNOWN,
    VIEWER,
    WINDOWS,
    as_json,
    plan,
    seen,
    system,
    tell,
    tell_of_two_hospitals,
)


async def test_scheduled_window_is_published_with_its_systems(run: Run) -> None:
    """window.scheduled tells all that people have to know, under its site."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        olga = steward.as_("olga", "operator:north")
        answer = await olga.post(WINDOWS, json=plan(system_ids=[VIEWER, ARCHIVE]))
        assert answer.status_code == 201, answer.text
        assert answer.headers["etag"] == '"1"'
        window = answer.json()
        assert (window["state"], window["revision"], window["time_zone"]) == ("scheduled", 0, "Europe/Berlin")
        event = await steward.heard.until("window.scheduled")
        assert (event.subject, event.site_id, event.actor) == ("north", "north", "olga")
        assert (event.data.window_id, event.data.revision, event.data.impact) == (window["id"], 0, "OUTAGE")
        assert [(s.id, s.name) for s in event.data.systems] == [(VIEWER, "Viewer"), (ARCHIVE, "Archive")]
        assert (await olga.get(f"{WINDOWS}/{window['id']}")).json() == window


async def test_repeated_request_with_its_key_schedules_one_window(run: Run) -> None:
    """An Idempotency-Key makes a second POST a replay of the first answer, not an overlap."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        key, body = {"Idempotency-Key": str(uuid4())}, plan()
        first = await steward.admin.post(WINDOWS, json=body, headers=key)
        second = await steward.admin.post(WINDOWS, json=body, headers=key)
        assert (second.status_code, second.json()) == (201, first.json())
        assert second.headers["idempotency-replayed"] == "true"
        assert await steward.pools["maintenance"].fetchval("SELECT count(*) FROM windows") == 1


async def test_moved_window_is_published_with_the_times_before(run: Run) -> None:
    """Each move is a revision, on the version that was seen; the same times again tell nobody anything."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        window = (await steward.admin.post(WINDOWS, json=plan())).json()
        url = f"{WINDOWS}/{window['id']}/times"
        old = {"starts_at": window["starts_at"], "ends_at": window["ends_at"]}
        later = {name: (datetime.fromisoformat(at) + HOUR / 2).isoformat() for name, at in old.items()}
        assert (await steward.admin.put(url, json=later)).status_code == 428
        unmoved = await steward.admin.put(url, json=old, headers=seen(window))
        assert (unmoved.status_code, unmoved.json()) == (200, window)
        moved = await steward.admin.put(url, json=later, headers=seen(window))
        assert (moved.status_code, moved.json()["revision"], moved.headers["etag"]) == (200, 1, '"2"')
        assert (await steward.admin.put(url, json=later, headers=seen(window))).status_code == 412
        event = await steward.heard.until("window.rescheduled")
        assert event.data.previous_starts_at == datetime.fromisoformat(old["starts_at"])
        assert event.data.previous_ends_at == datetime.fromisoformat(old["ends_at"])
        assert (event.data.starts_at, event.data.revision) == (datetime.fromisoformat(later["starts_at"]), 1)


async def test_cancelled_window_is_published_and_frees_its_time(run: Run) -> None:
    """The reason goes along; nothing can be done with the window after that."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        window = (await steward.admin.post(WINDOWS, json=plan())).json()
        url = f"{WINDOWS}/{window['id']}"
        body = {"reason": "The vendor has withdrawn the fix."}
        early = await steward.admin.post(f"{url}/end", headers=seen(window))
        assert (early.status_code, early.json()["state"]) == (409, "scheduled")
        assert (await steward.admin.post(f"{url}/cancellation", json=body)).status_code == 428
        cancelled = await steward.admin.post(f"{url}/cancellation", json=body, headers=seen(window))
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
        event = await steward.heard.until("window.cancelled")
        assert (event.data.cancellation_reason, event.data.revision) == (body["reason"], 1)
        again = await steward.admin.post(f"{url}/cancellation", json=body, headers=seen(cancelled.json()))
        assert again.status_code == 409
        times = {"starts_at": window["starts_at"], "ends_at": window["ends_at"]}
        assert (await steward.admin.put(f"{url}/times", json=times, headers=seen(cancelled.json()))).status_code == 409
        assert (await steward.admin.post(WINDOWS, json=plan())).status_code == 201


async def test_overlapping_window_is_refused_and_the_other_is_named(run: Run) -> None:
    """409 at scheduling and at moving; back to back, and on other systems, is no overlap."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        first = (await steward.admin.post(WINDOWS, json=plan(system_ids=[ARCHIVE, VIEWER]))).json()
        refused = await steward.admin.post(WINDOWS, json=plan(HOUR / 2))
        assert refused.status_code == 409
        assert refused.json()["overlaps"]["window_id"] == first["id"]
        assert refused.json()["overlaps"]["system_ids"] == [ARCHIVE]
        after = plan(starts_at=first["ends_at"], ends_at=(datetime.now(UTC) + 3 * HOUR).isoformat())
        second = await steward.admin.post(WINDOWS, json=after)
        assert second.status_code == 201
        times = {"starts_at": first["starts_at"], "ends_at": second.json()["ends_at"]}
        url = f"{WINDOWS}/{second.json()['id']}/times"
        moved = await steward.admin.put(url, json=times, headers=seen(second.json()))
        assert (moved.status_code, moved.json()["overlaps"]["window_id"]) == (409, first["id"])
        assert (await steward.admin.get(f"{WINDOWS}/{second.json()['id']}")).json() == second.json()


async def test_of_overlapping_requests_at_one_moment_exactly_one_wins(run: Run) -> None:
    """Twelve at once, with the shared systems named in either order: one 201, eleven 409, one event."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        bodies = [plan(HOUR + timedelta(minutes=n), system_ids=[ARCHIVE, VIEWER][:: 1 - n % 2 * 2]) for n in range(12)]
        answers = await asyncio.gather(*(steward.admin.post(WINDOWS, json=body) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
        assert await steward.pools["maintenance"].fetchval("SELECT count(*) FROM windows") == 1


async def test_database_itself_refuses_an_overlap(run: Run) -> None:
    """Were the code to forget the rule, the exclusion constraint would not."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        assert (await steward.admin.post(WINDOWS, json=plan())).status_code == 201
        with pytest.raises(asyncpg.ExclusionViolationError):
            await steward.pools["maintenance"].execute(
                "INSERT INTO window_systems SELECT 'other', system_id, period FROM window_systems"
            )


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"system_ids": [UNKNOWN]}, 422, "system_ids"),
        ({"system_ids": [ARCHIVE, SOUTHERN]}, 422, "system_ids"),
        ({"system_ids": [ARCHIVE, ARCHIVE]}, 422, "system_ids"),
        ({"system_ids": []}, 422, "system_ids"),
        ({"system_ids": [ARCHIVE] * 101}, 422, "system_ids"),
        ({"system_ids": [CLOSED]}, 409, None),
        ({"site_id": "east"}, 404, None),
        ({"starts_at": "2020-01-01T00:00:00Z"}, 422, "starts_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, 422, "ends_at"),
        ({"ends_at": (datetime.now(UTC) + timedelta(days=8)).isoformat()}, 422, "ends_at"),
        ({"ends_at": "9999-12-31T23:59:59-12:00"}, 422, "ends_at"),
        ({"starts_at": "2150-01-01T00:00:00Z", "ends_at": "2150-01-01T01:00:00Z"}, 422, "ends_at"),
        ({"starts_at": "2027-01-01T00:00:00"}, 422, "starts_at"),
        ({"title": "\ud800"}, 422, "title"),
        ({"reason": " "}, 422, "reason"),
        ({"impact": "SOME"}, 422, "impact"),
        ({"colour": "blue"}, 422, "colour"),
    ],
)
async def test_window_that_cannot_be_is_refused(
    run: Run, change: dict[str, Any], status: int, field: str | None
) -> None:
    """422 names the field, the rule and an example; whatever the refusal, nothing is stored."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        answer = await steward.admin.post(WINDOWS, **as_json(plan() | change))
        assert answer.status_code == status, answer.text
        if field is not None:
            [error] = answer.json()["errors"]
            assert error["field"].split(".")[0] == field
            assert error["rule"]
            assert error["example"]
        assert await steward.pools["maintenance"].fetchval("SELECT count(*) FROM windows") == 0


async def test_window_whose_events_would_pass_48_kib_changes_nothing(run: Run) -> None:
    """413, no window, no event, and the systems stay free."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        ids = [f"0199c3f2-7a51-7c3e-9d55-1{n:011}" for n in range(100)]
        for system_id in ids:
            await tell(steward, system("A system with a name of common length"), system_id, "north")
        answer = await steward.admin.post(WINDOWS, json=plan(system_ids=ids, reason="𝄞" * 10_000))
        assert answer.status_code == 413, answer.text
        for table in ("windows", "window_systems", "outbox"):
            assert await steward.pools["maintenance"].fetchval(f"SELECT count(*) FROM {table}") == 0
        assert (await steward.admin.post(WINDOWS, json=plan(system_ids=ids))).status_code == 201


async def test_nodes_are_no_systems(run: Run) -> None:
    """A window is for systems; a DICOM node is not known here at all."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        node = AssetChanged(kind="node", name="Modality", state="in_service", version=1, system_id=ARCHIVE)
        await tell(steward, node, UNKNOWN, "north")
        assert (await steward.admin.post(WINDOWS, json=plan(system_ids=[UNKNOWN]))).status_code == 422


async def test_times_in_any_offset_are_kept_in_utc(run: Run) -> None:
    """What was 02:30 in the night in which the clocks go back is one instant, said with its offset."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        day = _next_change_of_clocks()
        times = {"starts_at": f"{day}T02:30:00+02:00", "ends_at": f"{day}T02:30:00+01:00"}
        window = (await steward.admin.post(WINDOWS, json=plan() | times)).json()
        assert (window["starts_at"], window["ends_at"]) == (f"{day}T00:30:00Z", f"{day}T01:30:00Z")
        shown = (await steward.admin.get(f"{WINDOWS}/{window['id']}")).json()
        assert shown == window


def _next_change_of_clocks() -> str:
    """The next last Sunday of October (Directive 2000/84/EC)."""
    today = datetime.now(UTC).date()
    days = (datetime(year, 10, 31, tzinfo=UTC).date() for year in (today.year, today.year + 1))
    sundays = (day - timedelta(days=(day.weekday() + 1) % 7) for day in days)
    return next(day for day in sundays if day > today).isoformat()


ROLES = {
    "viewer:north": 403,
    "auditor:north": 403,
    "approver:north": 403,
    "operator:north": 200,
    "site-admin:north": 200,
    "group-admin:*": 200,
    "operator:*": 200,
    "operator:south": 404,
    "group-admin:south": 404,
}


@pytest.mark.parametrize(("grant", "status"), ROLES.items())
async def test_who_may_do_what_where(run: Run, grant: str, status: int) -> None:
    """Operators of the site change its windows; for those outside of it there are none."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        window = (await steward.admin.post(WINDOWS, json=plan())).json()
        url, headers = f"{WINDOWS}/{window['id']}", seen(window)
        caller = steward.as_("somebody", "viewer:south", grant)
        # An operator's command is let through to the state's own refusal, so that one window serves them all.
        passed = {200: 409}.get(status, status)
        times = {"starts_at": window["starts_at"], "ends_at": window["ends_at"]}
        assert (await caller.post(WINDOWS, json=plan())).status_code == passed
        assert (await caller.post(f"{url}/end", headers=headers)).status_code == passed
        assert (await caller.put(f"{url}/times", json=times, headers=headers)).status_code == status
        assert (await caller.get(url)).status_code == (404 if status == 404 else 200)
        listed = (await caller.get(WINDOWS)).json()["items"]
        assert len(listed) == (0 if status == 404 else 1)
        cancelled = await caller.post(f"{url}/cancellation", json={"reason": "withdrawn"}, headers=headers)
        assert cancelled.status_code == status


async def test_refusal_outside_your_sites_does_not_say_where_a_window_is(run: Run) -> None:
    """The same 404 as for a window that does not exist."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        window = (await steward.admin.post(WINDOWS, json=plan())).json()
        bob = steward.as_("bob", "operator:south")
        for window_id in (window["id"], UNKNOWN):
            found = await bob.get(f"{WINDOWS}/{window_id}")
            ended = await bob.post(f"{WINDOWS}/{window_id}/end", headers=seen(window))
            refusals = [(answer.status_code, answer.json()["detail"]) for answer in (found, ended)]
            assert refusals == [(404, f"no window {window_id}")] * 2


async def test_lists_are_filtered_and_paged(run: Run) -> None:
    """By site, by state, by the span that a window touches; pages follow each other without a gap."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        bodies = [plan(), plan(3 * HOUR), plan(5 * HOUR), plan(site_id="south", system_ids=[SOUTHERN])]
        windows = [(await steward.admin.post(WINDOWS, json=body)).json() for body in bodies]
        ids = [window["id"] for window in windows]
        url = f"{WINDOWS}/{ids[0]}/cancellation"
        await steward.admin.post(url, json={"reason": "withdrawn"}, headers=seen(windows[0]))

        async def listed(**criteria: Any) -> list[int]:
            page = await steward.admin.get(WINDOWS, params=criteria)
            return [ids.index(window["id"]) for window in page.json()["items"]]

        assert await listed() == [0, 1, 2, 3]
        assert await listed(site_id="south") == [3]
        assert await listed(state="scheduled", site_id="north") == [1, 2]
        assert await listed(**{"from": windows[1]["starts_at"], "to": windows[2]["starts_at"]}) == [1]
        first = (await steward.admin.get(WINDOWS, params={"limit": 3})).json()
        assert first["next"] == ids[2]
        assert await listed(limit=3, cursor=first["next"]) == [3]
        for wrong in ({"from": "9999-12-31T23:59:59-12:00"}, {"state": "open"}, {"to": "yesterday"}):
            assert (await steward.admin.get(WINDOWS, params=wrong)).status_code == 422
