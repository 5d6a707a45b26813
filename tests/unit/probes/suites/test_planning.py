"""What of a suite is run on which node, with which settings."""

from dataclasses import replace
from typing import Any

import pytest

from services.probes.suites.builtin import BUILT_IN
from services.probes.suites.domain import MOST_TO_RUN, Item, ItemRun
from services.probes.suites.handlers import SUITE_KINDS
from services.probes.suites.planning import Referred, System, check_items, plan_items
from services.probes.targets.domain import Target
from shared.errors import Malformed
from shared.events.inventory import DicomAddress, NodeRole

NODE = "0199c3f2-7a51-7c3e-9d55-3f1f2f6f8a0"


def node(number: int, role: NodeRole, reason: str | None = None) -> Target:
    """A node of the system."""
    address = DicomAddress(ae_title=f"NODE_{number}", host=f"n{number}.example.org", port=104, role=role)
    return Target(
        version=1, id=f"{NODE}{number}", site_id="north", kind="node", name=f"node {number}", system_id="s",
        dicom=address, probed=reason is None, reason=reason,
    )  # fmt: skip


NODES = [node(1, "archive"), node(2, "modality"), node(3, "modality"), node(4, "workstation", "the node is isolated")]
SYSTEM = System("s", "North archive", "north", NODES, {NODES[0].id: NODES[0]}, {})


def an_item(**more: Any) -> Item:
    """An item of an echo, changed so."""
    about = {"name": "it", "function": "connectivity", "interface": "archive", "kind": "dicom-echo"}
    return Item.model_validate({name: value for name, value in {**about, **more}.items() if value is not None})


def planned(*items: Item, added: dict[str, dict[str, Any]] | None = None) -> list[ItemRun]:
    """What is to be run on the system."""
    return plan_items(items, SYSTEM, SUITE_KINDS, added or {})


def test_role_becomes_its_nodes() -> None:
    """Each node of the role, with its own address; one that is not asked says why."""
    runs = planned(an_item(role="modality"), an_item(role="workstation"))
    assert [(run.subject_name, run.state) for run in runs] == [
        ("node 2", "planned"),
        ("node 3", "planned"),
        ("node 4", "done"),
    ]
    assert [run.settings.get("ae_title") for run in runs[:2]] == ["NODE_2", "NODE_3"]
    assert (runs[2].verdict, runs[2].detail) == ("not_run", "Not run: node 4 is not asked: the node is isolated.")
    assert [run.position for run in runs] == [0, 1, 2]


def test_caller_becomes_an_edge_from_each_of_its_role() -> None:
    """Under the caller's own AE title, and none to itself."""
    edges = planned(an_item(kind="dicom-conformance", role="modality", caller="modality"))
    assert [(edge.subject_name, edge.settings["calling_ae_title"]) for edge in edges] == [
        ("node 3 → node 2", "NODE_3"),
        ("node 2 → node 3", "NODE_2"),
    ]


def test_settings_of_item_and_request_come_on_top_of_the_address() -> None:
    """The request has the last word; kinds that move much are heavy."""
    item = an_item(role="archive", kind="dicom-retrieve", settings={"images": 10, "retrieve": "get"})
    [run] = planned(item, added={"it": {"images": 5, "port": 11112}})
    chosen = {name: run.settings[name] for name in ("host", "port", "images", "retrieve")}
    assert chosen == {"host": "n1.example.org", "port": 11112, "images": 5, "retrieve": "get"}
    assert run.is_heavy


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (an_item(kind="no-kind"), "this version has no kind no-kind"),
        (an_item(kind="dicom-find"), "its settings don't do: settings.host: Field required"),
        (an_item(subject=f"{NODE}9"), f"the system has no node {NODE}9"),
        (an_item(kind=None, check_id=f"{NODE}8"), "the check it refers to is there no more"),
    ],
)
def test_what_cannot_be_run_is_told(item: Item, why: str) -> None:
    """As an item that was not run, with the reason."""
    [run] = planned(item)
    assert (run.state, run.verdict, run.detail) == ("done", "not_run", f"Not run: {why}.")


def test_check_lends_kind_settings_and_subject() -> None:
    """An item may refer to what is asked anyway."""
    check_id = f"{NODE}8"
    settings = {"host": "h", "port": 104, "ae_title": "A"}
    system = System("s", "", "north", [], {}, {check_id: Referred("dicom-echo", settings, f"{NODE}1", "answers")})
    [run] = plan_items([an_item(kind=None, check_id=check_id)], system, SUITE_KINDS, {})
    assert (run.kind, run.subject, run.subject_name, run.state) == ("dicom-echo", f"{NODE}1", "answers", "planned")


def test_check_of_an_agent_is_run_by_that() -> None:
    """From here it would be asked over another way, with other secrets: its verdict would say nothing."""
    check_id = f"{NODE}8"
    check = Referred("dicom-echo", {"host": "h", "port": 104, "ae_title": "A"}, f"{NODE}1", "answers", "south-dmz")
    [run] = plan_items(
        [an_item(kind=None, check_id=check_id)], System("s", "", "north", [], {}, {check_id: check}), SUITE_KINDS, {}
    )
    assert (run.kind, run.subject, run.state, run.vantage) == ("dicom-echo", f"{NODE}1", "planned", "south-dmz")


def test_nodes_of_a_site_behind_a_firewall_are_asked_by_its_agent() -> None:
    """Those of a role, single ones, callers, and what has no node; but a check is made where it is made anyway."""
    check = Referred("dicom-echo", {"host": "h", "port": 104, "ae_title": "A"}, f"{NODE}1", "answers")
    items = [
        an_item(role="archive"),
        an_item(name="one", subject=NODES[0].id),
        an_item(name="edge", kind="dicom-conformance", role="archive", caller="modality"),
        an_item(name="web", kind="http", settings={"url": "https://ris/"}),
        an_item(name="check", kind=None, check_id=f"{NODE}8"),
    ]
    runs = plan_items(items, replace(SYSTEM, vantage="dmz", checks={f"{NODE}8": check}), SUITE_KINDS, {})
    assert {run.name: run.vantage for run in runs} == {
        "it": "dmz", "one": "dmz", "edge": "dmz", "web": "dmz", "check": None,
    }  # fmt: skip


def group_item(**more: Any) -> Item:
    """An item that sends a secret of the group."""
    return an_item(kind="http", settings={"url": "https://ris/", "password": "group.ris", **more})


def test_secret_of_the_group_goes_where_its_item_says() -> None:
    """Who asks for a run may not send it elsewhere, nor who borrows a check; one of another site goes nowhere."""
    check_id = f"{NODE}8"
    check = Referred("http", {"url": "https://ris/", "password": "group.ris"}, f"{NODE}1", "web")
    system = System("s", "", "north", [], {}, {check_id: check})
    elsewhere = {"url": "https://elsewhere/"}
    as_it_is, borrowed = (an_item(kind=None, check_id=check_id, settings=more) for more in ({}, elsewhere))
    runs = [*plan_items([as_it_is, borrowed], system, SUITE_KINDS, {})]
    assert [run.state for run in runs] == ["planned", "done"]
    assert [run.state for run in planned(group_item())] == ["planned"]
    [moved] = planned(group_item(), added={"it": elsewhere})
    assert (moved.verdict, "settings.password: is a secret of the group" in moved.detail) == ("not_run", True)
    [foreign] = planned(an_item(kind="http", settings={"url": "https://ris/", "password": "south.ris"}))
    assert (foreign.verdict, "must be a secret of the site" in foreign.detail) == ("not_run", True)


def test_run_has_an_end() -> None:
    """A suite that becomes too many items is cut, which is an error and no pass."""
    many = System("s", "", "north", [node(n, "modality") for n in range(10, 10 + MOST_TO_RUN + 5)], {}, {})
    runs = plan_items([an_item(role="modality")], many, SUITE_KINDS, {})
    assert len(runs) == MOST_TO_RUN
    assert (runs[-1].verdict, runs[-1].state) == ("error", "done")
    assert "6 items more are not run" in runs[-1].detail


def test_suites_that_come_with_steward_could_run() -> None:
    """Their kinds and settings are known; their names differ; an archive is all that they need."""
    for suite in BUILT_IN.values():
        check_items(suite.items, SUITE_KINDS)
        assert len({item.name for item in suite.items}) == len(suite.items)
        runs = plan_items(suite.items, SYSTEM, SUITE_KINDS, {})
        assert {run.state for run in runs if run.required} == {"planned"}


def test_refusal_names_the_setting() -> None:
    """422 at the door, not an error at night."""
    with pytest.raises(Malformed, match=r"items\.1\.settings\.retrieve"):
        check_items([an_item(), an_item(kind="dicom-roundtrip", settings={"retrieve": "fetch"})], SUITE_KINDS)
