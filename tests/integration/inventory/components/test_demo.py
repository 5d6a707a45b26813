"""The hardware of the simulated hospitals, as inventory takes it."""

from collections import Counter

from demo.hardware import hardware_of
from services.up.fleet import install_hardware
from tests.harness import Harness
from tests.integration.inventory.components.parts import COMPONENTS
from tests.integration.inventory.requests import register_system


async def test_each_hospital_has_a_server_an_array_a_ups_and_a_switch_with_what_is_in_them(steward: Harness) -> None:
    """All of it belongs to the hospital's system, and no serial number stands twice in the group."""
    for site in ("north", "south"):
        system = await register_system(steward, site_id=site, name=f"{site} PACS")
        place = {"site_id": site, "system_id": system["id"]}
        await install_hardware(steward.admin, hardware_of(site), place)
        found = (await steward.admin.get(COMPONENTS, params={"system_id": system["id"]})).json()["items"]
        types = Counter(component["type"] for component in found)
        assert types == {"server": 1, "array": 1, "drive": 4, "ups": 1, "battery": 1, "switch": 1, "port": 8}
        inside = {component["id"]: component["type"] for component in found}
        holders = {(c["type"], inside[c["installed_in"]]) for c in found if c["installed_in"]}
        assert holders == {("drive", "array"), ("battery", "ups"), ("port", "switch")}
