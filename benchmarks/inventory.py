"""Inventory with 100,000 components at 500 sites: how fast they are written, and how fast found over HTTP.

Components are written by the function behind bulk requests and imports, 1,000 a transaction, with their events and
their history. Lists, filters and searches are asked of the running service by a caller who sees all sites and by one
who sees one; the peer is the hand-written SQL for the same rows.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from statistics import quantiles
from time import perf_counter, process_time

import asyncpg
import httpx

from benchmarks.figure import Figure, within
from benchmarks.ground import Ground, House, execute
from benchmarks.processes import ServiceProcess, running
from services.inventory.components.domain import ComponentDraft
from services.inventory.components.handlers import put_components
from services.inventory.components.known import NewComponent
from services.inventory.sites.handlers import register_site
from shared.database import open_pool
from shared.events.inventory import ComponentType
from shared.grants import Caller, Grant
from shared.issuer import Issuer
from shared.transactions import begin, new_id

SITES = 500
COMPONENTS = 100_000
BATCH = 1_000
ROUNDS = 200
WARM_UP = 20
LIMIT_MS = 50
WRITE_SECONDS = 60
TYPES: Mapping[ComponentType, int] = {
    **{"drive": 40, "port": 15, "workstation": 12, "server": 8, "software": 8, "battery": 6, "ups": 3, "array": 3},
    **{"switch": 2, "licence": 2, "database": 1},
}
MAKERS = ("Seaquest", "Northlight", "Voltara", "Amperion", "Halden Systems", "Kestrel", "Orsted", "Pallas")
ONE_SITE = "site-250"
ROWS = """SELECT c.*, a.version, a.name, a.system_id, a.host FROM components c JOIN assets a ON a.id = c.asset_id"""

Ask = Callable[[random.Random], Awaitable[int]]


async def measure(ground: Ground) -> list[Figure]:
    """Writes the components, then asks for them."""
    async with ground.house("postgres") as house:
        figures = await _fill(house)
        for statement in ("TRUNCATE inventory.outbox", "VACUUM ANALYZE"):
            await execute(house.owner, statement)
        folder = ground.folder / "inventory"
        async with running(house, folder, ["inventory"]) as system:
            issuer = Issuer(folder / "keys")
            service = system.services["inventory"]
            for who, grants, site in (
                ("all sites", ("viewer:*",), None),
                ("one site", (f"viewer:{ONE_SITE}",), ONE_SITE),
            ):
                token = issuer.token("benchmark", grants)
                figures += await _ask_all(house, service, token, who, site)
    return figures


async def _fill(house: House) -> list[Figure]:
    pool = await open_pool(house.login("inventory"), schema="inventory", application="benchmark")
    caller = Caller("benchmark", frozenset({Grant("operator", "*")}))
    async with begin(pool, "inventory") as tx:
        for number in range(SITES):
            await register_site(tx, f"site-{number:03}", f"Hospital {number}", "Europe/Berlin")
    drafts = [draft(number) for number in range(COMPONENTS)]
    began, busy = perf_counter(), process_time()
    for first in range(0, COMPONENTS, BATCH):
        async with begin(pool, "inventory") as tx:
            rows = [NewComponent(new_id(), draft) for draft in drafts[first : first + BATCH]]
            await put_components(tx, rows, caller)
    took, busy = perf_counter() - began, process_time() - busy
    await pool.close()
    return [
        within("inventory, 100,000 components written", took, "s", WRITE_SECONDS),
        within("inventory, 100,000 components written, processor time of Python", busy, "s", WRITE_SECONDS),
    ]


def draft(number: int) -> ComponentDraft:
    chosen = random.Random(number)
    [kind] = chosen.choices(list(TYPES), weights=list(TYPES.values()))
    maker = chosen.choice(MAKERS)
    return ComponentDraft(
        site_id=f"site-{number * 7 % SITES:03}",
        type=kind,
        name=f"{kind} {chosen.choice('ABCDEFGH')}{number % 97:02} of room {number % 311}",
        state="proposed" if chosen.random() < 0.03 else "in_service",
        manufacturer=maker,
        model=f"{maker[:3]} {chosen.randrange(60)}",
        serial=f"{maker[:2].upper()}-{chosen.randrange(10**9):09}-{number}",
        asset_tag=f"T-{number:06}",
        software_version=f"{chosen.randrange(9)}.{chosen.randrange(9)}",
        purchase_date=date(2015, 1, 1) + timedelta(days=chosen.randrange(3900)),
    )


async def _ask_all(house: House, service: ServiceProcess, token: str, who: str, site: str | None) -> list[Figure]:
    figures = []
    headers = {"Authorization": f"Bearer {token}"}
    conn = await asyncpg.connect(house.owner, server_settings={"search_path": "inventory"})
    ids = [row["asset_id"] for row in await conn.fetch("SELECT asset_id FROM components ORDER BY asset_id")]
    async with httpx.AsyncClient(base_url=f"{service.url}/v1", headers=headers, timeout=30) as client:
        for name, choose in QUESTIONS.items():

            async def over_http(chosen: random.Random, choose: Choose = choose) -> int:
                answer = await client.get("/components", params=choose(chosen, ids)[0] | {"limit": 100})
                assert answer.status_code == 200, answer.text
                return len(answer.json()["items"])

            async def by_hand(chosen: random.Random, choose: Choose = choose) -> int:
                _, where, values = choose(chosen, ids)
                seen = "true" if site is None else f"c.site_id = '{site}'"
                query = f"{ROWS} WHERE {where} AND {seen} ORDER BY c.asset_id LIMIT 100"
                return len(await conn.fetch(query, *values))

            ours, bare = await _p99_ms(over_http, by_hand)
            title = f"inventory, {name}, p99 over HTTP ({who})"
            figures.append(
                Figure(title, ours, "ms", "hand-written SQL for the same rows", bare, LIMIT_MS, at_most=True)
            )
    await conn.close()
    return figures


Question = tuple[dict[str, str], str, list[object]]
Choose = Callable[[random.Random, list[str]], Question]


def _a_page(chosen: random.Random, ids: list[str]) -> Question:
    after = chosen.choice(ids)
    return {"cursor": after}, "c.asset_id > $1", [after]


def _a_filter(chosen: random.Random, ids: list[str]) -> Question:
    maker, bought = chosen.choice(MAKERS), date(2015, 1, 1) + timedelta(days=chosen.randrange(3900))
    [kind] = chosen.choices(list(TYPES), weights=list(TYPES.values()))
    questions: list[Question] = [
        (
            {"type": kind, "manufacturer": maker, "purchased_before": bought.isoformat()},
            "c.type = $1 AND c.manufacturer_key = $2 AND c.purchase_date < $3",
            [kind, maker.casefold(), bought],
        ),
        ({"type": kind, "state": "proposed"}, "c.type = $1 AND c.state = 'proposed'", [kind]),
        ({"asset_tag": f"T-{chosen.randrange(COMPONENTS):06}"}, "c.tag_key = $1", ["t000001"]),
        ({"software_version": "8.8", "state": "proposed"}, "c.software_version = '8.8' AND c.state = 'proposed'", []),
    ]
    return chosen.choice(questions)


def _a_search(chosen: random.Random, ids: list[str]) -> Question:
    [kind] = chosen.choices(list(TYPES), weights=list(TYPES.values()))
    words: list[list[str]] = [
        [f"t-{chosen.randrange(COMPONENTS):06}"],
        [kind],
        [kind, f"room {chosen.randrange(311)}"],
        [chosen.choice(MAKERS).casefold(), f"{chosen.choice('abcdefgh')}{chosen.randrange(97):02}"],
        ["nowhere to be found"],
    ]
    asked = " ".join(chosen.choice(words)).split()
    where = " AND ".join(f"c.search_text LIKE ${n + 1}" for n in range(len(asked)))
    return {"q": " ".join(asked)}, where, [f"%{word}%" for word in asked]


QUESTIONS: Mapping[str, Choose] = {
    "page of 100 components": _a_page,
    "filter by several facts": _a_filter,
    "search for words": _a_search,
}


async def _p99_ms(*asked: Ask) -> list[float]:
    """What 99 of 100 keep, of each, in milliseconds; they take turns, in each round about the same."""
    took: list[list[float]] = [[] for _ in asked]
    for number in range(-WARM_UP, ROUNDS):
        for ask, times in zip(asked, took, strict=True):
            began = perf_counter()
            await ask(random.Random(number))
            times.append(1000 * (perf_counter() - began))
    return [quantiles(times[WARM_UP:], n=100)[98] for times in took]
