"""snmp against Net-SNMP's agent, v2c and v3, which tells of this machine and of parts that it was told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.probes.kinds.asked import Asked
from tests.parts.snmpd import AUTH_KEY, COMMUNITY, PRIV_KEY, USER, Snmpd

STORAGE, UPS, INTERFACES = "1.3.6.1.2.1.25.2.3.1", "1.3.6.1.2.1.33.1", "1.3.6.1.2.1.2.2.1"
IMAGES, CHARGE, BATTERY, SOURCE = 9001, f"{UPS}.2.4.0", f"{UPS}.2.1.0", f"{UPS}.4.1.0"
OBJECTS = {
    f"{STORAGE}.2.{IMAGES}": ("object_id", ".1.3.6.1.2.1.25.2.1.4"),
    f"{STORAGE}.3.{IMAGES}": ("octet_str", '"/images"'),
    f"{STORAGE}.4.{IMAGES}": ("integer", 4096),
    f"{STORAGE}.5.{IMAGES}": ("integer", -2_000_000_000),
    f"{STORAGE}.6.{IMAGES}": ("integer", 2_000_000_000),
    "1.3.6.1.2.1.25.3.3.1.2.9001": ("integer", 30),
    "1.3.6.1.2.1.25.3.3.1.2.9002": ("integer", 90),
    BATTERY: ("integer", 2),
    f"{UPS}.2.2.0": ("integer", 0),
    f"{UPS}.2.3.0": ("integer", 42),
    CHARGE: ("integer", 100),
    SOURCE: ("integer", 3),
    f"{UPS}.6.1.0": ("integer", 0),
    "1.3.6.1.4.1.674.10892.5.2.3.0": ("integer", 4),
    "1.3.6.1.4.1.674.10892.5.5.1.20.130.4.1.24.1": ("integer", 3),
    "1.3.6.1.4.1.674.10892.5.5.1.20.130.4.1.24.2": ("integer", 5),
    "1.3.6.1.4.1.6574.3.1.1.3.0": ("integer", 11),
    "1.3.6.1.4.1.6574.2.1.1.5.0": ("integer", 1),
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snmpd]:
    """An agent for these tests."""
    with Snmpd(tmp_path_factory.mktemp("snmpd"), OBJECTS) as running:
        yield running


@pytest.fixture
def settings(agent: Snmpd, ask: Asked) -> dict[str, Any]:
    """How to ask it by 2c."""
    for name, value in (("community", COMMUNITY), ("auth", AUTH_KEY), ("priv", PRIV_KEY)):
        Path(f"{ask.here.probe_secrets}/{name}").write_text(value)
    return {"host": "127.0.0.1", "port": agent.port, "community": "community"}


def by_user(settings: dict[str, Any], **more: Any) -> dict[str, Any]:
    """How to ask it by version 3, signed and encrypted."""
    keys = {"auth_protocol": "SHA256", "auth_key": "auth", "priv_protocol": "AES", "priv_key": "priv"}
    return {"host": settings["host"], "port": settings["port"], "version": "3", "username": USER, **keys, **more}


async def test_storage_is_told_by_the_fullest_disk(settings: dict[str, Any], ask: Asked) -> None:
    """Of those that are named; sizes that pass 31 bits are read as they are meant."""
    seen = await ask("snmp", settings | {"presets": ["storage"], "names": ["/images"]})
    assert (seen.outcome, seen.failure) == ("ok", None), seen
    assert seen.measures["used_ratio"] == pytest.approx(2_000_000_000 / (2**32 - 2_000_000_000), abs=1e-5)
    assert seen.facts["storage"] == "/images 87%"
    all_disks = await ask("snmp", settings | {"presets": ["storage"]})
    assert all_disks.measures["used_ratio"] >= seen.measures["used_ratio"]
    gone = await ask("snmp", settings | {"presets": ["storage"], "names": ["/images", "/gone"]})
    assert (gone.outcome, gone.failure) == ("failed", "health")
    assert "/gone" in gone.detail


async def test_version_3_tells_the_same(settings: dict[str, Any], ask: Asked) -> None:
    """Signed and encrypted, also the second time by the engine that was kept."""
    for _ in range(2):
        seen = await ask("snmp", by_user(settings, presets=["load"]))
        assert (seen.outcome, seen.measures) == ("ok", {"load_ratio": 0.6}), seen


@pytest.mark.parametrize("wrong", [{"auth_key": "wrong"}, {"username": "nobody"}, {"auth_protocol": "SHA512"}])
async def test_login_that_is_refused_is_told(wrong: dict[str, str], settings: dict[str, Any], ask: Asked) -> None:
    """An agent of version 3 says so, in words that hold no secret."""
    seen = await ask("snmp", by_user(settings, presets=["load"], **wrong))
    assert (seen.outcome, seen.failure) == ("failed", "login_refused"), seen
    assert "sesame" not in repr(seen)


async def test_wrong_community_is_silence(settings: dict[str, Any], ask: Asked) -> None:
    """The detail of a timeout says that this may be the reason."""
    seen = await ask("snmp", settings | {"community": "wrong", "presets": ["load"]}, 1)
    assert (seen.outcome, seen.failure) == ("failed", "timeout_answer")


async def test_ups_that_is_well(settings: dict[str, Any], ask: Asked) -> None:
    """UPS-MIB, RFC 1628: charge, minutes, source."""
    seen = await ask("snmp", settings | {"presets": ["ups"]})
    assert (seen.outcome, seen.failure) == ("ok", None), seen
    assert seen.measures == {"charge_ratio": 1, "runtime_seconds": 2520, "on_battery_seconds": 0, "alarms": 0}
    assert seen.facts == {"battery": "normal", "output": "normal"}


@pytest.mark.parametrize(
    ("told", "outcome", "word"),
    [
        ({SOURCE: 5}, "degraded", "battery"),
        ({SOURCE: 4}, "degraded", "bypass"),
        ({SOURCE: 2}, "failed", "none"),
        ({SOURCE: 5, BATTERY: 3}, "failed", "low"),
        ({f"{UPS}.6.1.0": 2}, "degraded", "2 alarms"),
    ],
)
async def test_ups_that_is_not_well(
    told: dict[str, int], outcome: str, word: str, tmp_path: Path, ask: Asked, settings: dict[str, Any]
) -> None:
    """On battery is degraded; a battery that is low, or no power at all, has failed."""
    objects = OBJECTS | {oid: ("integer", value) for oid, value in told.items()}
    with Snmpd(tmp_path / "snmpd", objects) as other:
        seen = await ask("snmp", settings | {"port": other.port, "presets": ["ups"]})
    assert (seen.outcome, seen.failure) == (outcome, "health"), seen
    assert word in seen.detail


async def test_ports_are_counted_and_named_ones_are_missed(settings: dict[str, Any], ask: Asked) -> None:
    """The counters of this machine's loopback as they are."""
    seen = await ask("snmp", settings | {"presets": ["ports"], "names": ["lo"]})
    assert (seen.outcome, seen.measures["ports_down"]) == ("ok", 0), seen
    assert {"in_errors_count", "out_errors_count", "in_discards_count"} <= set(seen.measures)
    gone = await ask("snmp", settings | {"presets": ["ports"], "names": ["Te1/1/4"]})
    assert (gone.outcome, gone.failure) == ("failed", "health")


async def test_raid_of_vendors(settings: dict[str, Any], ask: Asked) -> None:
    """A failed drive fails, a degraded array is degraded, whatever else is well."""
    dell = await ask("snmp", settings | {"presets": ["dell"]})
    assert (dell.outcome, dell.measures["faulty_parts"]) == ("failed", 2), dell
    assert "physical disk 2 is in state 5" in dell.detail
    synology = await ask("snmp", settings | {"presets": ["synology"]})
    assert (synology.outcome, synology.measures["faulty_parts"]) == ("degraded", 1), synology


async def test_agent_without_what_is_asked_is_told(settings: dict[str, Any], ask: Asked) -> None:
    """A check that can see nothing is not ok."""
    for asked in ({"presets": ["hpe"]}, {"objects": [{"oid": "1.3.6.1.4.1.99999.1.0", "name": "x"}]}):
        seen = await ask("snmp", settings | asked)
        assert (seen.outcome, seen.failure) == ("failed", "no_such_object"), seen


async def test_any_object_can_be_asked_for(settings: dict[str, Any], ask: Asked) -> None:
    """A number with its factor, a text, and what values mean."""
    objects: list[dict[str, Any]] = [
        {"oid": CHARGE, "name": "charge_ratio", "factor": 0.01},
        {"oid": "1.3.6.1.2.1.1.5.0", "name": "host"},
        {"oid": SOURCE, "name": "source", "outcomes": {"3": "ok", "5": "degraded"}},
    ]
    seen = await ask("snmp", settings | {"objects": objects})
    assert (seen.outcome, seen.measures) == ("ok", {"charge_ratio": 1, "source": 3}), seen
    assert seen.facts["host"]
    objects[2]["outcomes"] = {"3": "degraded"}
    assert (await ask("snmp", settings | {"objects": objects})).outcome == "degraded"
    objects[2]["outcomes"] = {"5": "ok"}
    assert (await ask("snmp", settings | {"objects": objects})).outcome == "failed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"community": None},
        {"presets": []},
        {"version": "3"},
        {"version": "3", "username": "ann", "auth_protocol": "SHA"},
        {"version": "3", "username": "ann", "priv_protocol": "AES", "priv_key": "word"},
        {"objects": [{"oid": "1.3.x", "name": "a"}]},
    ],
)
def test_settings_that_are_not_whole_are_refused(wrong: dict[str, Any], ask: Asked) -> None:
    """With the rule and an example."""
    right = {"host": "ups", "community": "word", "presets": ["ups"]}
    with pytest.raises(ValueError, match=r"for example|pattern"):
        type(ask.kind("snmp")).settings.model_validate(right | wrong)
