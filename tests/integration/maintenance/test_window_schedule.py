"""Windows open and close by themselves: on time, once, and after an outage in their order."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.maintenance.windows import schedule as schedules
from services.maintenance.windows.schedule import WindowSchedule
from shared.transactions import begin
from tests.harness import Harness
from tests.integration.conftest import Run
from tests.integration.maintenance.ground import (
    ARCHIVE,
    HOUR,
    MAINTENANCE,
    UNSCHEDULED,
    VIEWER,
    WINDOWS,
    plan,
    seen,
    system,
    tell,
    tell_of_two_hospitals,
)

SHORT = timedelta(seconds=0.3)
END_SOON = """WITH ending AS (UPDATE windows SET ends_at = now() + $1::interval RETURNING ends_at)
              SELECT ends_at, pg_notify('steward_windows', '') FROM ending"""


def about(window: dict[str, Any]) -> Any:
    """Picks the events of a window."""
    return lambda event: event.data.window_id == window["id"]


@pytest.fixture
def never_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule does nothing but what it is woken for, or what it sleeps until; it does not look now and then."""
    monkeypatch.setattr(schedules, "LONGEST_PAUSE", HOUR.total_seconds())


@pytest.mark.usefixtures("never_looking")
async def test_window_is_started_and_ended_at_its_instants(run: Run) -> None:
    """The schedule sleeps when the window is made, and is woken for an instant that comes before it would look."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        window = (await steward.admin.post(WINDOWS, json=plan(SHORT))).json()
        started = await steward.heard.until("window.started", about(window))
        ends_at = await steward.pools["maintenance"].fetchval(END_SOON, SHORT)
        ended = await steward.heard.until("window.ended", about(window))
        for event, due in ((started, datetime.fromisoformat(window["starts_at"])), (ended, ends_at)):
            assert event.time >= due
            assert (event.subject, event.actor, event.data.revision) == ("north", "service:maintenance", 0)
        closed = (await steward.admin.get(f"{WINDOWS}/{window['id']}")).json()
        assert (closed["state"], closed["version"]) == ("ended", 3)
        assert datetime.fromisoformat(closed["ended_at"]) == ended.time


@pytest.mark.usefixtures("never_looking")
async def test_window_from_now_on_is_started_at_once(run: Run) -> None:
    """A start of some seconds ago counts as now, is published as now, and the window opens."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        body = plan(timedelta(seconds=-30))
        window = (await steward.admin.post(WINDOWS, json=body)).json()
        assert datetime.fromisoformat(window["starts_at"]) > datetime.fromisoformat(body["starts_at"])
        started = await steward.heard.until("window.started", about(window))
        assert started.time >= datetime.fromisoformat(window["starts_at"])


async def test_open_window_can_be_prolonged_and_ended_early_but_not_moved_or_cancelled(run: Run) -> None:
    """Its end moves only to later; ended early it frees its systems at once."""
    async with run(**MAINTENANCE) as steward:
        await tell_of_two_hospitals(steward)
        window = (await steward.admin.post(WINDOWS, json=plan(timedelta(0)))).json()
        await steward.heard.until("window.started", about(window))
        url = f"{WINDOWS}/{window['id']}"
        opened = (await steward.admin.get(url)).json()
        ends_at = datetime.fromisoformat(window["ends_at"])

        async def ask_for(starts_at: str, end: datetime) -> int:
            body = {"starts_at": starts_at, "ends_at": end.isoformat()}
            return (await steward.admin.put(f"{url}/times", json=body, headers=seen(opened))).status_code

        moved = (datetime.fromisoformat(window["starts_at"]) + HOUR).isoformat()
        assert await ask_for(moved, ends_at + HOUR) == 409
        assert await ask_for(window["starts_at"], ends_at - HOUR / 2) == 409
        refused = await steward.admin.post(f"{url}/cancellation", json={"reason": "no"}, headers=seen(opened))
        assert (refused.status_code, refused.json()["state"]) == (409, "started")
        assert await ask_for(window["starts_at"], ends_at + HOUR) == 200
        opened = (await steward.admin.get(url)).json()
        assert (opened["state"], opened["revision"]) == ("started", 1)
        ended = await steward.admin.post(f"{url}/end", headers=seen(opened))
        assert (ended.status_code, ended.json()["state"]) == (200, "ended")
        event = await steward.heard.until("window.ended", about(window))
        assert (event.actor, event.data.ends_at) == ("admin", ends_at + HOUR)
        assert (await steward.admin.post(WINDOWS, json=plan())).status_code == 201


async def test_missed_steps_are_caught_up_in_their_order(run: Run) -> None:
    """A window that lay wholly in an outage is started and then ended; the one after it starts only then."""
    async with run(**UNSCHEDULED) as steward:
        await tell_of_two_hospitals(steward)
        first = (await steward.admin.post(WINDOWS, json=plan(HOUR / 2, HOUR / 2))).json()
        after = plan(starts_at=first["ends_at"], ends_at=(datetime.now(UTC) + 9 * HOUR).isoformat())
        second = (await steward.admin.post(WINDOWS, json=after)).json()
        await schedule(steward, ahead=2 * HOUR).advance_all_due()
        await steward.heard.until("window.ended", about(first))
        await steward.heard.until("window.started", about(second))
        steps = [event for event in in_sequence(steward) if event.type != "window.scheduled"]
        assert [(event.type, event.data.window_id) for event in steps] == [
            ("window.started", first["id"]),
            ("window.ended", first["id"]),
            ("window.started", second["id"]),
        ]


async def test_schedules_side_by_side_take_each_step_once(run: Run) -> None:
    """Thirty windows, three schedules at once: thirty starts, thirty ends, each window's start before its end."""
    async with run(**UNSCHEDULED) as steward:
        await tell_of_two_hospitals(steward)
        windows = []
        for n in range(30):
            system_id = f"0199c3f2-7a51-7c3e-9d55-1{n:011}"
            await tell(steward, system(), system_id, "north")
            windows.append((await steward.admin.post(WINDOWS, json=plan(system_ids=[system_id]))).json())
        await asyncio.gather(*(schedule(steward, ahead=3 * HOUR).advance_all_due() for _ in range(3)))
        done = await steward.pools["maintenance"].fetchval("SELECT count(*) FROM windows WHERE version = 3")
        assert done == 30
        for window in windows:
            for step in ("window.scheduled", "window.started", "window.ended"):
                await steward.heard.until(step, about(window))
        steps = [(event.data.window_id, event.type) for event in in_sequence(steward)]
        assert len(steps) == 90
        for window in windows:
            assert [kind for window_id, kind in steps if window_id == window["id"]] == [
                "window.scheduled",
                "window.started",
                "window.ended",
            ]


async def test_window_in_the_hands_of_another_schedule_does_not_hold_up_the_rest(run: Run) -> None:
    """While one window is locked the other one is started."""
    async with run(**UNSCHEDULED) as steward:
        await tell_of_two_hospitals(steward)
        held = (await steward.admin.post(WINDOWS, json=plan())).json()
        free = (await steward.admin.post(WINDOWS, json=plan(system_ids=[VIEWER]))).json()
        async with begin(steward.pools["maintenance"], "maintenance", actor="another") as other:
            await other.conn.execute("SELECT true FROM windows WHERE id = $1 FOR UPDATE", held["id"])
            await schedule(steward, ahead=1.5 * HOUR).advance_all_due()
        await steward.heard.until("window.started", about(free))
        assert (await steward.admin.get(f"{WINDOWS}/{held['id']}")).json()["state"] == "scheduled"


async def test_renamed_system_keeps_its_name_in_the_window(run: Run) -> None:
    """What was announced is what is told of to the end, so no later name can make an event too large."""
    async with run(**UNSCHEDULED) as steward:
        await tell_of_two_hospitals(steward)
        window = (await steward.admin.post(WINDOWS, json=plan())).json()
        await tell(steward, system("x" * 48_000, version=2), ARCHIVE, "north")
        await schedule(steward, ahead=3 * HOUR).advance_all_due()
        ended = await steward.heard.until("window.ended", about(window))
        assert ended.data.systems[0].name == "Archive"


def schedule(steward: Harness, ahead: timedelta) -> WindowSchedule:
    """A schedule whose clock is ahead, so that what lies in the future is due for it."""
    return WindowSchedule(steward.pools["maintenance"], "", lambda: datetime.now(UTC) + ahead)


def in_sequence(steward: Harness) -> list[Any]:
    """All that maintenance published so far, in the order in which it did; none of it twice."""
    events = sorted(steward.heard.events, key=lambda event: event.sequence)
    assert len({event.id for event in events}) == len(events)
    return events
