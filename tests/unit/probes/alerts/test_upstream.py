"""What lies one hop up, and the vantage itself."""

from dataclasses import replace

import pytest

from services.probes.alerts.domain import OK, AlertState
from services.probes.alerts.judging import Knowledge, judge_batch
from services.probes.alerts.upstream import Hold, Reach, Reaching, Upper, hold_by, uppers_of
from services.probes.alerts.vantages import reach_of
from services.probes.kinds import NATURES
from tests.unit.probes.alerts.checks import MINUTE, NOON, POLICY, Ids, judged, probe

DOWN = AlertState("firing", alert_id="a", failure="timeout_connect")
UNDECIDED = AlertState("pending", failures=1, failure="refused")


def upper(asset_id: str, *states: AlertState) -> Upper:
    """Something with such checks of its reachability."""
    return Upper(asset_id, tuple(Reaching(state) for state in states))


def test_what_is_down_or_may_be_explains_a_failure() -> None:
    assert hold_by([]) == Hold()
    assert hold_by([upper("host", DOWN)]) == Hold(suppressed_by="host")
    assert hold_by([upper("host", UNDECIDED)]) == Hold(is_waiting=True)
    assert hold_by([upper("switch", DOWN), upper("host", DOWN)]) == Hold(suppressed_by="host")


def test_what_is_down_in_a_window_or_behind_another_explains_a_failure_too() -> None:
    """It is known to be down, only nobody is told."""
    held = AlertState("pending", failures=5, failure="unreachable", is_held=True)
    behind = AlertState("pending", failure="unreachable", suppressed_by="switch")
    assert hold_by([upper("host", held)]).suppressed_by == hold_by([upper("host", behind)]).suppressed_by == "host"


def test_what_answers_wrongly_explains_nothing() -> None:
    wrong = AlertState("firing", alert_id="a", failure="tls_expired")
    assert hold_by([upper("host", wrong)]) == Hold()


@pytest.mark.parametrize("other", [OK, AlertState("firing", alert_id="b", failure="rejected")])
def test_what_one_check_reaches_is_not_down(other: AlertState) -> None:
    """One that is down beside it makes others wait for a decision, and hides nothing."""
    assert hold_by([upper("host", DOWN, other)]) == Hold(is_waiting=True)
    assert hold_by([upper("host", DOWN, UNDECIDED)]) == hold_by([upper("host", DOWN, DOWN)]) == Hold("host")


def test_what_nobody_hears_says_nothing_about_an_upper() -> None:
    """Neither that it is down nor that it was reached."""
    unheard = AlertState("unknown")
    assert hold_by([upper("host", unheard)]) == Hold()
    assert hold_by([upper("host", DOWN, unheard)]) == Hold("host")


def test_only_what_asks_for_reachability_hides_anything() -> None:
    """By its kind, or as who made it says."""
    known = Knowledge(POLICY, [], NATURES)
    for kind, reachability, is_hidden in (
        *(("tcp", None, True), ("dicom-echo", None, True), ("snmp", None, False), ("http", None, False)),
        *(("snmp", True, True), ("tcp", False, False)),
    ):
        switch = replace(probe("switch"), kind=kind, reachability=reachability)
        failing = [judged(switch, "failed", NOON + minute * MINUTE) for minute in range(3)]
        behind = [
            judged(probe("pacs", depends_on=("switch",)), "failed", NOON + minute * MINUTE) for minute in range(9)
        ]
        moves = judge_batch([*failing, *behind], known, Ids()).moves
        raised = {move.judged.probe.subject for move in moves for change in move.changes if change.what == "raised"}
        assert raised == ({"switch"} if is_hidden else {"switch", "pacs"}), (kind, reachability)


def test_a_missing_answer_means_out_of_reach_where_nothing_was_connected() -> None:
    """Over TCP the target was reached; what a person has marked means it with every failure."""
    mute = AlertState("firing", alert_id="a", failure="timeout_answer")
    assert {name for name, nature in NATURES.items() if Reaching(mute, nature.is_connectionless).is_known} == {
        "snmp",
        "ntp",
    }
    assert Reaching(AlertState("firing", alert_id="a", failure="critical"), is_marked=True).is_known
    assert not Reaching(OK, is_marked=True).is_known


def test_all_lies_behind_our_own_network_but_that_itself() -> None:
    assert uppers_of("pacs", ["host"], ["gateway"]) == {"host", "gateway"}
    assert uppers_of("gateway", [], ["gateway", "switch"]) == set()
    assert uppers_of("pacs", ["pacs"], []) == set()


def test_a_vantage_is_cut_off_when_five_addresses_and_nine_of_ten_are_mute() -> None:
    assert Reach(5, 5).is_cut_off
    assert Reach(10, 9).is_cut_off
    assert not Reach(4, 4).is_cut_off
    assert not Reach(10, 8).is_cut_off
    assert not (Reach(4, 4) + Reach(2, 0)).is_cut_off


def test_an_address_is_mute_when_nothing_there_answers() -> None:
    """A refusal is an answer; two probes of one host are one address."""
    batch = [
        judged(probe("a"), "failed", NOON),
        judged(probe("b"), "failed", NOON, "refused"),
        judged(probe("c"), "failed", NOON),
        judged(probe("c"), "ok", NOON),
        judged(probe("d"), "failed", NOON, "dns"),
        judged(probe("e"), "failed", NOON, "dimse_status"),
    ]
    assert reach_of(batch) == Reach(asked=5, mute=2)


def test_a_vantage_that_is_cut_off_opens_no_alert_on_a_target_that_does_not_answer() -> None:
    """One that answers, if wrongly, is judged as ever."""
    known = Knowledge(POLICY, [], NATURES, cut_off=frozenset({"first"}))
    mute = [judged(probe("mute"), "failed", NOON + minute * MINUTE) for minute in range(9)]
    wrong = [judged(probe("wrong"), "failed", NOON + minute * MINUTE, "aborted") for minute in range(3)]
    moves = judge_batch([*mute, *wrong], known, Ids()).moves
    raised = [move.judged.probe.subject for move in moves for change in move.changes if change.what == "raised"]
    assert raised == ["wrong"]


def test_a_failure_of_our_own_network_is_none_of_the_target() -> None:
    """The setting names our gateway: while it is down nothing behind it is raised, from no agent's vantage though."""
    policy = type(POLICY)(3, 2, POLICY.grace, own_network=("gateway",))
    known = Knowledge(policy, [], NATURES, uppers={"gateway": {"echo:gateway": Reaching(DOWN)}})
    ours = [judged(probe("pacs"), "failed", NOON + minute * MINUTE) for minute in range(5)]
    agents = [judged(probe("far", vantage="agent"), "failed", NOON + minute * MINUTE) for minute in range(5)]
    moves = judge_batch([*ours, *agents], known, Ids()).moves
    raised = [move.judged.probe.subject for move in moves for change in move.changes if change.what == "raised"]
    assert raised == ["far"]
