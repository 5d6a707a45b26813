"""What a check may ask for."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field

from services.probes.alerts.limits import Limits
from services.probes.checks.domain import CheckChange, CheckDraft, change_check, check_upstream, draft_check, probe_of
from services.probes.kinds.domain import Kind, Measure, Observation
from services.probes.targets.domain import Subject
from shared.errors import Malformed

ASSET = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10"
OTHER = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"


class PortSettings(BaseModel):
    """A host and a port."""

    host: str
    port: int = Field(ge=1, le=65_535, examples=[104])
    quick: bool = False


class Door(Kind[PortSettings]):
    """A kind for these tests."""

    name = "door"
    summary = "Knocks."
    settings = PortSettings
    measures: ClassVar[Mapping[str, Measure]] = {"free_ratio": Measure("ratio", "lower", "what is left")}

    async def run(self, settings: PortSettings, timeout: float) -> Observation:
        """Nobody runs it."""
        raise NotImplementedError


class Truck(Door):
    """One that moves much, hourly."""

    name = "truck"
    interval = timedelta(hours=1)
    is_heavy = True


KINDS: Sequence[type[Kind[Any]]] = (Door, Truck)


def draft(**more: Any) -> CheckDraft:
    """A draft that is right but for ``more``."""
    usual = {"subject": ASSET, "kind": "door", "name": "The door", "settings": {"host": "h", "port": 104}}
    return CheckDraft.model_validate(usual | more)


def refusal(**more: Any) -> str:
    """What is said of a draft."""
    with pytest.raises(Malformed) as refused:
        draft_check("id", draft(**more), "north", KINDS)
    return refused.value.detail


def test_what_is_left_out_is_as_the_kind_has_it() -> None:
    """Interval, timeout and settings; a heavy one gets more time."""
    light = draft_check("1", draft(), "north", KINDS)
    assert (light.interval_seconds, light.retry_interval_seconds, light.timeout_seconds) == (60, 20, 10)
    assert light.settings == {"host": "h", "port": 104, "quick": False}
    heavy = draft_check("2", draft(kind="truck"), "north", KINDS)
    assert (heavy.interval_seconds, heavy.timeout_seconds) == (3600, 120)
    quick = draft_check("3", draft(interval_seconds=5), "north", KINDS)
    assert (quick.retry_interval_seconds, quick.timeout_seconds) == (5, 4)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"settings": {"host": "h", "port": 0}}, ("settings.port: ", "for example 104")),
        ({"settings": {"port": 104}}, ("settings.host: ", "required")),
        ({"settings": {"host": "h", "port": 104, "prot": 1}}, ("settings.prot: is no setting of door", "port")),
        ({"kind": "dor"}, ("kind: must be one of door, truck", "door")),
        ({"name": "door"}, ("name: must not be the name of a kind", "Web login")),
        ({"interval_seconds": 10, "timeout_seconds": 9}, ("timeout_seconds: must be at most 0.8", "for example 8")),
        ({"retry_interval_seconds": 61}, ("retry_interval_seconds: must be at most interval_seconds", "60")),
        ({"limits": {"tcp": {"warning": 5, "critical": 4}}}, ("limits.tcp.critical: ", "higher is worse")),
        (
            {"limits": {"free_ration": {"warning": 1}}},
            ("limits.free_ration: must be a measure or a phase", "free_ratio"),
        ),
        ({"limits": {"free_ratio": {"warning": 0.1, "critical": 0.2}}}, ("limits.free_ratio.critical", "lower")),
    ],
)
def test_refusal_names_the_field_the_rule_and_an_example(more: Mapping[str, Any], told: Sequence[str]) -> None:
    """So that it can be mended without reading anything else."""
    said = refusal(**more)
    assert all(part in said for part in told), said


def test_limits_of_a_measure_may_fall() -> None:
    """Where less is worse, critical lies below warning."""
    limits = {"free_ratio": {"warning": 0.2, "critical": 0.1}, "tcp": {"warning": 4, "critical": 5}}
    assert draft_check("1", draft(limits=limits), "north", KINDS).limits["free_ratio"] == Limits(
        warning=0.2, critical=0.1
    )


def test_limits_may_name_what_only_the_settings_or_the_target_know() -> None:
    """A plugin's numbers, say; no list could have them."""

    class Oracle(Door):
        """A kind whose numbers have names of their own."""

        name = "oracle"
        has_own_measures = True

    limits = {"fan_speed": {"warning": 1}}
    assert "fan_speed" in draft_check("1", draft(kind="oracle", limits=limits), "north", [Oracle]).limits


def test_change_keeps_what_a_check_is_about() -> None:
    """Its asset, its kind and its id; the version is the next one."""
    check = draft_check("1", draft(), "north", KINDS)
    changed = change_check(check, CheckChange(name="Another", settings={"host": "x", "port": 1}), KINDS)
    assert (changed.id, changed.subject, changed.kind, changed.version) == ("1", ASSET, "door", 2)
    assert (changed.name, changed.settings["host"]) == ("Another", "x")


def test_upstream_is_another_asset_of_the_site() -> None:
    """Neither the asset itself nor one of another hospital."""
    check_upstream(ASSET, [OTHER], {OTHER})
    for depends_on, known in (([ASSET], {ASSET}), ([OTHER], set[str]())):
        with pytest.raises(Malformed, match="depends_on"):
            check_upstream(ASSET, depends_on, known)


def test_probe_of_a_check_has_its_name_and_its_asset() -> None:
    """Alerts name the check; the subject's system lends its windows."""
    check = draft_check("1", draft(severity="warning", vantage="north-dmz"), "north", KINDS)
    probe = probe_of(check, Subject(ASSET, "north", "node", "The node", "system", None), is_heavy=False)
    assert (probe.id, probe.check, probe.name, probe.system_id) == ("door:1", "The door", "The node", "system")
    assert (probe.interval, probe.vantage, probe.severity) == (timedelta(seconds=60), "north-dmz", "warning")
