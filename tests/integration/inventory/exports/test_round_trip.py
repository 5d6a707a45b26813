"""Whatever things are called: what was exported is found again by an import, and each is as it is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.inventory.imports.handlers import run_next
from services.inventory.settings import InventorySettings
from tests.harness import Harness
from tests.integration.conftest import Run
from tests.integration.inventory.conftest import SITES
from tests.integration.inventory.imports.taking import IMPORTS, counts, rows_of, send
from tests.integration.inventory.imports.test_faults import build_idle

INVENTORY = "/inventory/v1"
ODD = st.sampled_from(
    [
        "=",
        "+",
        "-",
        "@",
        "'",
        '"',
        "|",
        "\\",
        ";",
        ",",
        "\u00a0",
        "\u2028",
        "_x0041_",
        "_xFFFE_",
        "_x005F_",
        "1e5",
        "'-",
        "\ufffe",
        "\uffff",
        "a\x85b",
        "\x7f",
    ]
)
WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
NAME = st.lists(ODD | WORD, min_size=1, max_size=4).map("".join).map(str.strip).filter(bool)
COMPONENT = st.fixed_dictionaries(
    {"site_id": st.just("north"), "type": st.sampled_from(["server", "drive"]), "name": NAME},
    optional={
        **{"manufacturer": NAME, "model": NAME, "software_version": NAME, "serial": NAME, "asset_tag": NAME},
        **{"purchase_date": st.dates().map(str), "fields": st.fixed_dictionaries({"note": NAME})},
        "capacity_bytes": st.integers(1, 2**63 - 1),
    },
)
PERSON = st.fixed_dictionaries(
    {"site_id": st.just("north"), "name": NAME, "roles": st.just(["admin"])},
    optional={
        "login": st.from_regex(r"[\x21-\x7e]{1,20}", fullmatch=True),
        "competences": st.lists(
            st.fixed_dictionaries({"name": NAME, "level": st.just("trained"), "since": st.just("2025-04-01")})
        ),
    },
)
VENDOR = st.fixed_dictionaries({"name": NAME}, optional={"aliases": st.lists(NAME, max_size=4)})
THINGS = st.tuples(st.lists(COMPONENT, max_size=4), st.lists(PERSON, max_size=3), st.lists(VENDOR, max_size=3))


@pytest.fixture
async def idle(run: Run) -> AsyncIterator[Harness]:
    """Inventory in which the test carries imports out."""
    async with run(inventory=(build_idle, InventorySettings, {})) as steward:
        assert (await steward.admin.post(f"{INVENTORY}/sites", json=SITES[0])).status_code == 201
        for kind in ("server", "drive"):
            field = {"component_type": kind, "name": "note", "label": "Note", "kind": "text"}
            assert (await steward.admin.post(f"{INVENTORY}/fields", json=field)).status_code == 201
        yield steward


async def test_whatever_was_exported_is_the_same_when_imported(idle: Harness) -> None:
    """Components, people and vendors with all that an API takes in a line, as CSV, as a workbook, as all."""
    loop = asyncio.get_running_loop()
    number = 0

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(THINGS)
    def check(things: tuple[list[dict[str, Any]], ...]) -> None:
        nonlocal number
        number += 1
        asyncio.run_coroutine_threadsafe(_check(idle, things, number), loop).result()

    await asyncio.to_thread(check)
    assert number >= 25


async def _check(idle: Harness, things: tuple[list[dict[str, Any]], ...], number: int) -> None:
    components, people, vendors = things
    async with idle.admin as admin:
        if components:
            assert (await admin.post(f"{INVENTORY}/components/bulk", json={"rows": components})).status_code == 200
        for place, person in enumerate(people):
            body = person | {"email": f"p{number}.{place}@north.example.org"}
            assert (await admin.post(f"{INVENTORY}/people", json=body)).status_code in (201, 409, 422)
        for vendor in vendors:
            assert (await admin.post(f"{INVENTORY}/vendors", json=vendor)).status_code in (201, 409, 422)
        for kind, format in (("components", "xlsx"), ("components", "csv"), ("people", "xlsx"), ("all", "zip")):
            asked = {} if kind == "all" else {"format": format}
            exported = await admin.get(f"{INVENTORY}/exports/{kind}", params=asked)
            sent = await send(admin, exported.content, kind, format=format)
            assert sent.status_code == 202, sent.text
            assert await run_next(idle.pools["inventory"])
            ended = (await admin.get(f"{IMPORTS}/{sent.json()['id']}")).json()
            told = f"{kind} {format}: {ended['fault']} {await rows_of(admin, ended['id'])}"
            assert counts(ended) == (0, 0, ended["rows_read"], 0), told
            assert ended["state"] == "done", told
