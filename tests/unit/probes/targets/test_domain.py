"""Which nodes are probed."""

from typing import get_args

import pytest

from services.probes.targets.domain import Standing, why_not_probed
from shared.events.inventory import DicomAddress, LifecycleState

ADDRESS = DicomAddress(ae_title="NORTH_PACS", host="127.0.0.1", port=104, role="archive")
NOT_PROBED = {"proposed", "planned", "procured", "isolated", "sanitized", "disposed", "closed", "cancelled"}
RUNNING = Standing("in_service", retired=False)


@pytest.mark.parametrize("state", get_args(LifecycleState))
def test_state_of_node_and_of_system_decide(state: LifecycleState) -> None:
    """A node is probed while both are there to answer."""
    standing = Standing(state, retired=False)
    words = state.replace("_", " ")
    assert why_not_probed(standing, RUNNING, ADDRESS) == (f"the node is {words}" if state in NOT_PROBED else None)
    assert why_not_probed(RUNNING, standing, ADDRESS) == (f"its system is {words}" if state in NOT_PROBED else None)


def test_retired_is_final_and_unknown_systems_are_no_reason() -> None:
    """A retired node or system ends probing whatever its state says."""
    retired = Standing("in_service", retired=True)
    assert why_not_probed(retired, RUNNING, ADDRESS) == "the node is retired"
    assert why_not_probed(RUNNING, retired, ADDRESS) == "its system is retired"
    assert why_not_probed(RUNNING, None, ADDRESS) is None
    assert why_not_probed(RUNNING, RUNNING, None) == "it has no DICOM address"
