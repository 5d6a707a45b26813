"""Files of components taken in: how long 100,000 rows take, and that memory stays as it is however many there are.

The service runs as a process of its own, which its memory is asked of. The peer is a COPY of the same rows into a table
of the same columns without any index, rule, event or history.
"""

import asyncio
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import asyncpg
import httpx

from benchmarks.figure import Figure, within
from benchmarks.ground import Ground, House
from benchmarks.inventory import COMPONENTS, SITES, draft
from benchmarks.processes import ServiceProcess, running
from services.inventory.sites.handlers import register_site
from shared.database import open_pool
from shared.issuer import Issuer
from shared.transactions import begin

FEW = 10_000
LIMIT_SECONDS = 60
LIMIT_GROWTH = 1.25
POLL_SECONDS = 0.2
COLUMNS = (
    *("site", "type", "name", "start_state", "manufacturer", "model", "serial", "asset_tag", "software_version"),
    "purchase_date",
)


async def measure(ground: Ground) -> list[Figure]:
    """Takes in few rows, many, and the same many again."""
    async with ground.house("postgres") as house:
        await _register_sites(house)
        folder = ground.folder / "imports"
        async with running(house, folder, ["inventory"]) as system:
            service = system.services["inventory"]
            token = Issuer(folder / "keys").token("benchmark", ("group-admin:*",))
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=f"{service.url}/v1", headers=headers, timeout=300) as client:
                return await _take_all(house, service, client)


async def _take_all(house: House, service: ServiceProcess, client: httpx.AsyncClient) -> list[Figure]:
    rows = [_row(number) for number in range(COMPONENTS)]
    few, many = _sheet(rows[:FEW]), _sheet(rows)
    await _taken(client, few)
    small = _peak_mib(service)
    took = await _taken(client, many)
    large = _peak_mib(service)
    again = await _taken(client, many)
    copied = await _copied(house, rows)
    most = LIMIT_GROWTH * small
    return [
        Figure("import, 100,000 components from a CSV", took, "s", "a bare COPY", copied, LIMIT_SECONDS, at_most=True),
        within("import, 100,000 components that are there already", again, "s", LIMIT_SECONDS),
        Figure("import, peak memory at 100,000 rows", large, "MiB", "at 10,000 rows", small, most, at_most=True),
    ]


async def _register_sites(house: House) -> None:
    pool = await open_pool(house.login("inventory"), schema="inventory", application="benchmark")
    async with begin(pool, "inventory") as tx:
        for number in range(SITES):
            await register_site(tx, f"site-{number:03}", f"Hospital {number}", "Europe/Berlin")
    await pool.close()


def _row(number: int) -> list[str]:
    told = draft(number).model_dump(mode="json")
    told |= {"site": told["site_id"], "start_state": told["state"]}
    return [str(told[column]) for column in COLUMNS]


def _sheet(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, *rows])
    return text.getvalue().encode()


async def _taken(client: httpx.AsyncClient, sheet: bytes) -> float:
    """Seconds from the first byte that is sent to the end of the import."""
    began = perf_counter()
    form = {"kind": "components", "site_id": "group"}
    answer = await client.post("/imports", data=form, files={"file": ("components.csv", sheet)})
    assert answer.status_code == 202, answer.text
    told = answer.json()
    while told["state"] in ("waiting", "running"):
        await asyncio.sleep(POLL_SECONDS)
        told = (await client.get(f"/imports/{told['id']}")).json()
    assert told["applied"], told
    assert told["created"] + told["same"] == told["rows_read"], told
    return perf_counter() - began


def _peak_mib(service: ServiceProcess) -> float:
    """The most memory that the process ever held (proc(5), VmHWM)."""
    [line] = [text for text in Path(f"/proc/{service.pid}/status").read_text().splitlines() if text.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


async def _copied(house: House, rows: Sequence[Sequence[str]]) -> float:
    conn = await asyncpg.connect(house.owner)
    await conn.execute(f"CREATE TABLE bare ({', '.join(f'{column} text' for column in COLUMNS)})")
    began = perf_counter()
    await conn.copy_records_to_table("bare", records=[tuple(row) for row in rows])
    took = perf_counter() - began
    await conn.close()
    return took
