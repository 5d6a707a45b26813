"""A run from the request to the snapshot that restores, with the real restic."""

import hashlib
import os
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.backup.machine import (
    PASSWORD,
    Gate,
    Machine,
    announce_system,
    ask_for_run,
    completion_of,
    contents,
    failure_of,
    protect,
    request_run,
)
from tests.integration.conftest import Run


async def test_completed_run_tells_true_numbers_and_restores_the_same_bytes(
    run: Run, machine: Machine, tmp_path: Path
) -> None:
    """backup.completed agrees with the folder and with restic; a restore gives the folder back, byte for byte."""
    (machine.archive / "link").symlink_to("series/1.dcm")
    os.link(machine.archive / "series" / "1.dcm", machine.archive / "same.dcm")
    files = {name: data for name, data in machine.files().items() if name != "link"}
    async with run(**machine.services()) as steward:
        protected = await protect(steward, machine.archive)
        planned = await request_run(steward, protected, **{"X-Correlation-Id": "night-17"})
        assert planned.status_code == 202
        assert planned.json()["state"] == "planned"
        event = await steward.heard.until("backup.completed")
        told = event.data
        assert (event.subject, event.site_id, event.actor) == (protected["system_id"], "north", "olga")
        assert (event.correlation_id, event.causation_id) == ("night-17", planned.json()["id"])
        assert (told.items, told.total_bytes) == (len(files), sum(map(len, files.values())))
        assert told.total_bytes > told.bytes >= 100_000
        assert (told.engine, told.engine_version, told.encrypted) == ("restic", _version(machine), True)
        output = machine.work / "runs" / told.run_id / "backup"
        printed = (output / "stdout").read_bytes() + (output / "stderr").read_bytes()
        assert told.output_sha256 == hashlib.sha256(printed).hexdigest()
        [snapshot] = machine.snapshots(f"run:{told.run_id}")
        assert snapshot["id"] == told.snapshot_id
        seen = (await steward.admin.get(f"/backup/v1/runs/{told.run_id}")).json()
        assert (seen["state"], seen["attempts"], seen["snapshot_id"]) == ("done", 1, told.snapshot_id)
    machine.restic("restore", told.snapshot_id, "--target", str(tmp_path / "restored"))
    restored = contents(tmp_path / "restored" / machine.archive.relative_to("/"))
    assert restored == machine.files()


def _version(machine: Machine) -> str:
    return machine.restic("version").split()[1]


async def test_password_is_not_among_the_arguments_and_nothing_is_written_beside_the_folders(
    run: Run, machine: Machine
) -> None:
    """restic gets neither the password as an argument nor a HOME to write to."""
    program = machine.script(f'echo "$*" >>{machine.folder}/arguments; env >>{machine.folder}/env; exec $restic "$@"')
    async with run(**machine.services(backup_restic=program)) as steward:
        await completion_of(steward, await ask_for_run(steward, await protect(steward, machine.archive)))
    assert "backup --json" in (machine.folder / "arguments").read_text()
    assert PASSWORD not in (machine.folder / "arguments").read_text()
    assert "\nHOME=" not in (machine.folder / "env").read_text()
    assert (machine.work / "cache").is_dir()


async def test_second_run_of_an_unchanged_folder_adds_next_to_nothing(run: Run, machine: Machine) -> None:
    """``bytes`` is what a run added, not what it covers."""
    async with run(**machine.services()) as steward:
        protected = await protect(steward, machine.archive)
        await completion_of(steward, await ask_for_run(steward, protected))
        second = await completion_of(steward, await ask_for_run(steward, protected))
        # The folders above the archive are part of the snapshot, and the tests around this one change /tmp.
        assert second.bytes < 10_000
        assert second.items == len(machine.files())


async def test_only_one_run_of_a_set_is_unfinished_and_a_replayed_request_makes_no_second(
    run: Run, machine: Machine, gate: Gate
) -> None:
    """A second request is 409 until the run has ended; with the same Idempotency-Key it is the first one's answer."""
    async with run(**machine.services(backup_restic=gate.program)) as steward:
        protected = await protect(steward, machine.archive)
        key = {"Idempotency-Key": str(uuid4())}
        first = await request_run(steward, protected, **key)
        await gate.reached()
        again = await request_run(steward, protected, **key)
        assert (again.status_code, again.json()) == (202, first.json())
        assert again.headers["idempotency-replayed"] == "true"
        assert (await request_run(steward, protected)).status_code == 409
        gate.let_through()
        await completion_of(steward, first.json())
        listed = (await steward.admin.get("/backup/v1/runs", params={"set_id": protected["id"]})).json()
        assert [item["id"] for item in listed["items"]] == [first.json()["id"]]


async def test_runs_come_in_pages_the_latest_first(run: Run, machine: Machine) -> None:
    """Following ``next`` shows each run once."""
    async with run(**machine.services(backup_restic=machine.script("exit 1"))) as steward:
        protected = await protect(steward, machine.archive)
        asked: list[str] = []
        for _ in range(3):
            planned = await ask_for_run(steward, protected)
            await failure_of(steward, planned)
            asked.append(planned["id"])
        page = (await steward.admin.get("/backup/v1/runs", params={"limit": 2})).json()
        rest = (await steward.admin.get("/backup/v1/runs", params={"limit": 2, "cursor": page["next"]})).json()
        assert [item["id"] for item in page["items"] + rest["items"]] == asked[::-1]
        assert rest["next"] is None


async def test_system_without_data_gets_no_run(run: Run, machine: Machine) -> None:
    """A closed system is refused with its state."""
    async with run(**machine.services()) as steward:
        protected = await protect(steward, machine.archive)
        pool = steward.pools["backup"]
        await pool.execute("UPDATE systems SET state = 'closed' WHERE id = $1", protected["system_id"])
        answer = await request_run(steward, protected)
        assert (answer.status_code, answer.json()["state"]) == (409, "closed")


@pytest.mark.parametrize(
    ("grant", "ask", "look"),
    [
        ("viewer:north", 403, 200),
        ("auditor:north", 403, 200),
        ("operator:north", 202, 200),
        ("site-admin:north", 202, 200),
        ("operator:*", 202, 200),
        ("viewer:south", 403, 404),
        ("operator:south", 404, 404),
    ],
)
async def test_runs_are_for_operators_of_their_site(
    run: Run, machine: Machine, grant: str, ask: int, look: int
) -> None:
    """Who may ask for a run, and for whom it does not exist: no program is needed to decide it."""
    async with run(**machine.services(backup_restic=machine.script("exit 1"))) as steward:
        protected = await protect(steward, machine.archive)
        seen = await ask_for_run(steward, protected)
        await steward.heard.until("backup.failed")
        caller = steward.as_("someone", grant)
        answer = await caller.get(f"/backup/v1/runs/{seen['id']}")
        assert answer.status_code == look
        listed = (await caller.get("/backup/v1/runs")).json()["items"]
        assert [item["id"] for item in listed] == ([seen["id"]] if look == 200 else [])
        assert (await caller.post(f"/backup/v1/sets/{protected['id']}/runs")).status_code == ask


async def test_absent_and_foreign_runs_and_sets_answer_alike(run: Run, machine: Machine) -> None:
    """The words of a 404 do not tell whether the thing exists at another site."""
    async with run(**machine.services(backup_restic=machine.script("exit 1"))) as steward:
        protected = await protect(steward, machine.archive)
        planned = await ask_for_run(steward, protected)
        await announce_system(steward, site_id="south")
        bob = steward.as_("bob", "site-admin:south")
        for kind, known in (("sets", protected["id"]), ("runs", planned["id"])):
            absent = str(uuid4())
            foreign = await bob.get(f"/backup/v1/{kind}/{known}")
            missing = await bob.get(f"/backup/v1/{kind}/{absent}")
            assert foreign.status_code == missing.status_code == 404
            assert foreign.json()["detail"].replace(known, "") == missing.json()["detail"].replace(absent, "")
