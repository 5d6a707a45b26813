"""Asking for runs, by REST and by event; and suites as resources."""

from typing import Any

from shared.events.inventory import AssetChanged
from shared.events.maintenance import SuiteRequested
from shared.events.probes import SuiteCompleted
from shared.transactions import new_id
from tests.integration.conftest import Run, Speak
from tests.integration.probes.fleet import SITE, listening_node, tell_system
from tests.integration.probes.suites.stage import RUNS, Hospital, hospital
from tests.integration.probes.suites.test_killed import echoes
from tests.news import until

SUITES = "/probes/v1/suites"


def completions(system: Hospital, run_id: str) -> list[SuiteCompleted]:
    """What was told of a run."""
    told = [event.data for event in system.steward.heard.events if isinstance(event.data, SuiteCompleted)]
    return [data for data in told if data.run_id == run_id]


def requested(system: Hospital, suite_id: str, **more: Any) -> SuiteRequested:
    """A request of maintenance's."""
    return SuiteRequested(run_id=new_id(), suite_id=suite_id, reason="Archive upgrade to 12.4", **more)


async def test_second_request_with_the_same_id_does_nothing(run: Run, speak: Speak) -> None:
    """By REST it is answered with the run that there is, by event it is passed over; the run is told of once."""
    async with hospital(run, speak) as system, speak("maintenance") as maintenance:
        with listening_node() as node:
            suite_id = await system.make_suite(*echoes(node.port, 1))
            done = await system.run(suite_id, id=new_id())
            again = await system.ask(suite_id, id=done["id"])
            assert (again["state"], again["finished_at"]) == ("done", done["finished_at"])
            repeat = SuiteRequested(run_id=done["id"], suite_id=suite_id, reason="again")
            await maintenance.say(repeat, subject=system.system_id, site_id=SITE)
            other = await system.run(suite_id)
        assert len(completions(system, done["id"])) == len(completions(system, other["id"])) == 1
        body = {"id": done["id"], "suite_id": "network", "system_id": system.system_id, "reason": "another"}
        refused = await system.operator.post(RUNS, json=body)
        assert (refused.status_code, refused.json()["suite_id"]) == (409, suite_id)


async def test_event_asks_for_a_run_and_its_answer_joins_the_flow(run: Run, speak: Speak) -> None:
    """suite.requested in, suite.completed out: in the same flow, caused by it, about what it is about."""
    async with hospital(run, speak) as system, speak("maintenance") as maintenance:
        with listening_node() as node:
            suite_id = await system.make_suite(*echoes(node.port, 1))
            asked = requested(system, suite_id, about="change-7")
            await maintenance.say(asked, subject=system.system_id, site_id=SITE)
            told = await system.told(asked.run_id)
        asking = await system.steward.heard.until("suite.requested")
        assert (told.correlation_id, told.causation_id) == (asking.correlation_id, asking.id)
        assert (told.subject, told.site_id, told.actor) == (system.system_id, SITE, asking.actor)
        assert (told.data.about, told.data.outcome) == ("change-7", "passed")


async def test_request_that_cannot_be_run_is_answered(run: Run, speak: Speak) -> None:
    """An unknown suite, a suite of another site or version, a system of another site end in an error that says so."""
    async with hospital(run, speak) as system, speak("maintenance") as maintenance:
        foreign = await system.make_suite(*echoes(1, 1), site_id="south")
        for suite_id, site_id, why in (
            ("no-such-suite", SITE, "no suite no-such-suite"),
            ("No such name! " * 3000, SITE, "no suite No such name!"),
            (foreign, SITE, "not both of site north"),
            ("network", "south", "not both of site south"),
        ):
            asked = requested(system, suite_id, about="x" * 1000)
            await maintenance.say(asked, subject=system.system_id, site_id=site_id)
            told = (await system.told(asked.run_id)).data
            assert (told.outcome, why in told.detail) == ("error", True), told.detail
        old = await system.make_suite(*echoes(1, 1))
        await system.steward.pools["probes"].execute("UPDATE suites SET purpose = 'of old' WHERE id = $1", old)
        asked = requested(system, old)
        await maintenance.say(asked, subject=system.system_id, site_id=SITE)
        assert "from another version" in (await system.told(asked.run_id)).data.detail


async def test_run_waits_for_the_system_that_it_is_about(run: Run, speak: Speak) -> None:
    """The request may overtake inventory's word of the system."""
    async with hospital(run, speak) as system, speak("maintenance") as maintenance:
        with listening_node() as node:
            suite_id = await system.make_suite(*echoes(node.port, 1))
            asked, system_id = requested(system, suite_id), new_id()
            await maintenance.say(asked, subject=system_id, site_id=SITE)
            await until(system.steward.pools["probes"], "SELECT count(*) = 1 FROM suite_runs WHERE next_try > now()")
            await tell_system(system.inventory, system_id)
            assert (await system.told(asked.run_id)).data.outcome == "passed"


async def test_what_must_be_rejected_passes_when_it_is(run: Run, speak: Speak) -> None:
    """An item may expect a failure; that a stranger is let in would fail the suite."""
    async with hospital(run, speak) as system:
        with listening_node() as node:
            [item] = echoes(node.port, 1, ae_title="SOMEBODY_ELSE")
            item |= {"name": "rejected", "expectation": {"outcomes": ["failed"], "failure": "rejected_ae_title"}}
            suite_id = await system.make_suite(item, {**echoes(node.port, 1)[0], "expectation": item["expectation"]})
            done = await system.run(suite_id)
        assert {one["name"]: one["verdict"] for one in done["items"]} == {"rejected": "passed", "answer 0": "failed"}
        assert done["outcome"] == "failed"


async def test_item_may_be_a_check_that_there_is(run: Run, speak: Speak) -> None:
    """It takes kind, settings and subject from the check; one that is gone is told, and is no pass."""
    async with hospital(run, speak) as system:
        with listening_node() as node:
            settings = {"host": "127.0.0.1", "port": node.port, "ae_title": node.ae_title}
            check = {"subject": system.system_id, "name": "answers", "kind": "dicom-echo", "settings": settings}
            made = (await system.steward.admin.post("/probes/v1/checks", json=check)).json()
            item = {"name": "the check", "function": "connectivity", "interface": "archive", "check_id": made["id"]}
            suite_id = await system.make_suite({**item, "required": True})
            done = await system.run(suite_id)
            assert [(one["kind"], one["subject"]) for one in done["items"]] == [("dicom-echo", system.system_id)]
            assert done["outcome"] == "passed"
            await system.steward.admin.delete(f"/probes/v1/checks/{made['id']}", headers={"If-Match": '"1"'})
            gone = await system.run(suite_id)
        assert (gone["outcome"], gone["items"][0]["verdict"]) == ("failed", "not_run")


async def test_check_of_an_agent_that_does_not_answer_is_not_run_by_us(run: Run, speak: Speak) -> None:
    """It is told as not run, whatever would answer here, with the vantage and until when it had time; it is no pass."""
    async with hospital(run, speak) as system:
        with listening_node() as node:
            settings = {"host": "127.0.0.1", "port": node.port, "ae_title": node.ae_title}
            check = {"subject": system.system_id, "name": "answers", "kind": "dicom-echo", "settings": settings}
            made = (await system.steward.admin.post("/probes/v1/checks", json=check | {"vantage": "north-dmz"})).json()
            item = {"name": "the check", "function": "connectivity", "interface": "archive", "check_id": made["id"]}
            done = await system.run(await system.make_suite(item), timeout_seconds=1)
        [not_run] = done["items"]
        assert (done["outcome"], not_run["verdict"], not_run["vantage"]) == ("failed", "not_run", "north-dmz")
        until = not_run["finished_at"][:19].replace("T", " ")
        assert not_run["detail"] == f"Not run: vantage north-dmz did not answer until {until} UTC."


async def test_suite_is_a_resource(run: Run, speak: Speak) -> None:
    """Made, read, changed under its ETag, deleted; those that come with Steward stay as they are."""
    async with hospital(run, speak) as system:
        admin = system.steward.as_("sally", f"site-admin:{SITE}")
        suite_id = await system.make_suite(*echoes(104, 1))
        url = f"{SUITES}/{suite_id}"
        seen = await admin.get(url)
        assert (seen.headers["ETag"], seen.json()["items"][0]["name"]) == ('"1"', "answer 0")
        change = {"name": "Changed", "purpose": "staging", "items": echoes(104, 2)}
        assert (await admin.put(url, json=change)).status_code == 428
        assert (await admin.put(url, json=change, headers={"If-Match": '"7"'})).status_code == 412
        changed = await admin.put(url, json=change, headers={"If-Match": '"1"'})
        assert (changed.json()["name"], changed.json()["version"], len(changed.json()["items"])) == ("Changed", 2, 2)
        brought = await system.steward.admin.put(f"{SUITES}/staging", json=change, headers={"If-Match": '"1"'})
        assert brought.status_code == 409
        assert (await admin.put(f"{SUITES}/staging", json=change, headers={"If-Match": '"1"'})).status_code == 404
        listed = (await admin.get(SUITES)).json()["items"]
        assert [suite["id"] for suite in listed] == sorted({"acceptance", "compatibility", "network", "post-change",
                                                            "staging", suite_id})  # fmt: skip
        first = (await admin.get(SUITES, params={"limit": 2})).json()
        rest = (await admin.get(SUITES, params={"limit": 100, "cursor": first["next"]})).json()
        assert [*first["items"], *rest["items"]] == listed
        assert (await admin.delete(url, headers={"If-Match": '"2"'})).json()["id"] == suite_id
        assert (await admin.get(url)).status_code == 404


async def test_suite_that_could_never_run_is_refused(run: Run, speak: Speak) -> None:
    """422 names the item and the setting; what a request may still add may be missing."""
    async with hospital(run, speak) as system:
        [item] = echoes(104, 1)
        for change, field in (
            ({"kind": "no-kind"}, "items.0.kind"),
            (
                {"settings": {"host": "h", "port": 70_000, "ae_title": "A"}, "kind": "dicom-find"},
                "items.0.settings.port",
            ),
            ({"expectation": {"phases": {"dimse": {}}}}, "items.0.expectation.phases.dimse"),
            ({"check_id": new_id()}, "items.0"),
            ({"subject": new_id(), "role": "archive"}, "items.0"),
        ):
            body = {"site_id": SITE, "name": "n", "purpose": "other", "items": [{**item, **change}]}
            refused = await system.steward.admin.post(SUITES, json=body)
            assert refused.status_code == 422, change
            assert refused.json()["errors"][0]["field"] == field
        incomplete = {**item, "kind": "dicom-find", "settings": {"model": "worklist"}}
        suite_id = await system.make_suite(incomplete)
        done = await system.run(suite_id)
        assert (done["outcome"], done["items"][0]["verdict"]) == ("failed", "not_run")
        assert "settings.host" in done["items"][0]["detail"]


async def test_item_names_no_secret_of_another_site(run: Run, speak: Speak) -> None:
    """Neither in a suite of the site, nor through what is added to a run; those of the group take a group-admin."""
    async with hospital(run, speak) as system:
        admin = system.steward.as_("sally", f"site-admin:{SITE}")
        item = {"name": "web", "function": "connectivity", "interface": "ris_ehr", "kind": "http"}
        for secret in ("south.ris", "group.ris"):
            body = {"site_id": SITE, "name": "n", "purpose": "other", "items": [item | {"settings": {"token": secret}}]}
            refused = await admin.post(SUITES, json=body)
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "items.0.settings.token")
        suite_id = await system.make_suite(item | {"settings": {"url": "http://127.0.0.1:1/"}})
        done = await system.run(suite_id, settings={"web": {"token": "south.ris"}})
        assert (done["items"][0]["verdict"], "begin with north." in done["items"][0]["detail"]) == ("not_run", True)


async def test_runs_of_another_site_do_not_exist(run: Run, speak: Speak) -> None:
    """Neither run, items, evidence nor matrix; and the id of another site's run tells nothing of it."""
    async with hospital(run, speak) as system:
        with listening_node() as node:
            done = await system.run(await system.make_suite(*echoes(node.port, 1)))
        south = system.steward.as_("sue", "operator:south")
        for url in (f"{RUNS}/{done['id']}", f"{RUNS}/{done['id']}/evidence/{done['report']}"):
            assert (await south.get(url)).status_code == 404
            assert (await system.operator.get(url)).status_code == 200
        assert (await south.get(RUNS)).json()["items"] == []
        body = {"suite_id": "network", "system_id": system.system_id, "reason": "r"}
        assert (await south.post(RUNS, json=body)).status_code == 404
        theirs = await tell_system_of(system, "south")
        taken = await south.post(RUNS, json=body | {"id": done["id"], "system_id": theirs})
        assert (taken.status_code, done["suite_id"] in taken.text) == (409, False)
        elsewhere = await system.run("network")
        url = f"{RUNS}/{elsewhere['id']}/evidence/{done['report']}"
        assert (await system.operator.get(url)).status_code == 404


async def tell_system_of(system: Hospital, site_id: str) -> str:
    """A system of another site."""
    system_id = new_id()
    changed = AssetChanged(kind="system", name="South archive", state="in_service", version=1)
    await system.inventory.say(changed, subject=system_id, site_id=site_id)
    await until(system.steward.pools["probes"], "SELECT count(*) = 1 FROM assets WHERE id = $1", system_id)
    return system_id
