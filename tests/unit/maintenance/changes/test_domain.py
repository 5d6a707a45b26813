"""What may be recorded as a patch."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from services.maintenance.changes.domain import CLOCK_SKEW, Patch, record_patch
from services.maintenance.fleet.domain import System, after_patch
from shared.errors import Conflict, Malformed
from shared.events.inventory import LifecycleState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SYSTEM = System(id="s1", site_id="north", name="Archive", state="in_service", version=1, reported_version="12.3")
RUNNING = {"staged", "commissioning", "in_service", "maintenance", "degraded"}


def patch(system: System = SYSTEM, to_version: str = "12.4", applied_at: datetime = NOW) -> Patch:
    """A patch by alice."""
    return record_patch(system, to_version, applied_at, "fix", patch_id="p1", now=NOW, actor="alice")


def test_patch_names_the_version_before() -> None:
    """From what is known, to what is recorded, by whom."""
    recorded = patch()
    assert (recorded.from_version, recorded.to_version, recorded.recorded_by) == ("12.3", "12.4", "alice")


def test_second_patch_starts_where_the_first_one_ended() -> None:
    """Even before inventory has heard of the first."""
    assert patch(after_patch(SYSTEM, "12.4"), "12.5").from_version == "12.4"


def test_patch_to_the_running_version_is_refused() -> None:
    """Nothing would change."""
    with pytest.raises(Conflict, match=r"12\.3 already"):
        patch(to_version="12.3")


def test_patch_of_unknown_software_is_refused() -> None:
    """The event must name the version before."""
    with pytest.raises(Conflict, match="does not know"):
        patch(SYSTEM.model_copy(update={"reported_version": None}))


def test_patch_may_be_as_far_ahead_as_clocks_differ() -> None:
    """Five minutes, and not a microsecond more."""
    assert patch(applied_at=NOW + CLOCK_SKEW).applied_at == NOW + CLOCK_SKEW
    with pytest.raises(Malformed, match="applied_at"):
        patch(applied_at=NOW + CLOCK_SKEW + timedelta(microseconds=1))


@pytest.mark.parametrize("state", get_args(LifecycleState))
def test_only_a_system_that_runs_can_be_patched(state: LifecycleState) -> None:
    """From staging to degraded service; neither before nor after."""
    system = SYSTEM.model_copy(update={"state": state})
    if state in RUNNING:
        assert patch(system).to_version == "12.4"
    else:
        with pytest.raises(Conflict, match=state):
            patch(system)
