"""Which assets are probed."""

from typing import get_args

import pytest

from services.probes.targets.domain import Standing, why_not_probed, why_nothing_is_asked
from shared.events.inventory import LifecycleState

NOT_PROBED = {"proposed", "planned", "procured", "isolated", "sanitized", "disposed", "closed", "cancelled"}
RUNNING = Standing("in_service", retired=False)


@pytest.mark.parametrize("state", get_args(LifecycleState))
def test_state_of_node_and_of_system_decide(state: LifecycleState) -> None:
    """An asset is probed while it and its system are there to answer."""
    standing = Standing(state, retired=False)
    words = state.replace("_", " ")
    assert why_not_probed("node", standing, RUNNING) == (f"the node is {words}" if state in NOT_PROBED else None)
    assert why_not_probed("node", RUNNING, standing) == (f"its system is {words}" if state in NOT_PROBED else None)


def test_retired_is_final_and_unknown_systems_are_no_reason() -> None:
    """A retired node or system ends probing whatever its state says."""
    retired = Standing("in_service", retired=True)
    assert why_not_probed("system", retired, None) == "the system is retired"
    assert why_not_probed("node", RUNNING, retired) == "its system is retired"
    assert why_not_probed("node", RUNNING, None) is None


def test_what_has_neither_address_nor_check_is_asked_nothing() -> None:
    """A node is asked for a C-ECHO by itself, any asset what its checks say."""
    assert why_nothing_is_asked(has_address=False, is_checked=False) == "it has no DICOM address"
    assert why_nothing_is_asked(has_address=True, is_checked=False) is None
    assert why_nothing_is_asked(has_address=False, is_checked=True) is None
