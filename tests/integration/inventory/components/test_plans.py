"""A filtered page of components costs what it finds, and not what the group has: every filter reads an index."""

import asyncio
import re
from datetime import date
from typing import Any

import asyncpg

from services.inventory.components.store import Selection, select_components
from shared.database import Connection, Pool

FILTERS: dict[str, dict[str, Any]] = {
    "no filter": {},
    "a common type": {"type": "drive"},
    "a type that nothing has": {"type": "battery"},
    "a common state": {"state": "in_service"},
    "a rare state": {"state": "proposed"},
    "a state that nothing is in": {"state": "retiring"},
    "a system": {"system_id": "system-250"},
    "what is in a component": {"installed_in": "000000000250"},
    "a manufacturer": {"manufacturer": "maker 5"},
    "a manufacturer of nothing": {"manufacturer": "maker x"},
    "a model": {"model": "model 5"},
    "a model of a manufacturer": {"manufacturer": "maker 5", "model": "model 5"},
    "a product": {"product_id": "product 10"},
    "a serial number": {"serial": "s250"},
    "a tag": {"asset_tag": "t250"},
    "a version of software": {"software_version": "7.5"},
    "a version that nothing runs": {"software_version": "9.9"},
    "long ago": {"purchased_before": date(2015, 2, 1)},
    "before anything": {"purchased_before": date(2014, 2, 1)},
    "lately": {"purchased_after": date(2025, 8, 1)},
    "after anything": {"purchased_after": date(2026, 1, 1)},
    "a span": {"purchased_after": date(2020, 1, 1), "purchased_before": date(2020, 1, 20)},
    "a field": {"type": "server", "fields": {"rack_units": 7}},
    "a field that nothing has": {"type": "server", "fields": {"rack_units": 700}},
    "rare words": {"words": ["s1999", "ups"]},
    "common words": {"words": ["drive"]},
    "words of nothing": {"words": ["nowhere"]},
    "several facts": {"type": "drive", "manufacturer": "maker 5", "purchased_before": date(2016, 1, 1)},
    "two rare facts": {"state": "proposed", "software_version": "8.6"},
}
CALLERS = {"all sites": None, "one site": {"site-250"}, "a region": {f"site-{n}" for n in range(100)}}


async def plans_of(conn: Connection, chosen: Selection, after: str | None) -> list[str]:
    """How the database reads what a page of the list asks for."""
    asked: list[asyncpg.connection.LoggedQuery] = []
    with conn.query_logger(asked.append):
        await select_components(conn, chosen, after, 101)
    # The driver tells of its queries once the event loop turns.
    await asyncio.sleep(0)
    plans = []
    for query in asked:
        if query.query.startswith("SET LOCAL"):
            await conn.execute(query.query)
        else:
            plans.append("\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {query.query}", *query.args)))
    assert plans
    return plans


async def test_no_filter_reads_a_whole_table(fleet: Pool) -> None:
    """Whoever asks, from the first page or a later one, and whether much, little or nothing is found."""
    wasteful = []
    async with fleet.acquire() as conn:
        for who, sites in CALLERS.items():
            for name, asked in FILTERS.items():
                for after in (None, "000000011111"):
                    async with conn.transaction():
                        for plan in await plans_of(conn, Selection(visible=sites, **asked), after):
                            if re.search(r"Seq Scan on (components|assets)", plan):
                                wasteful.append(f"{who}, {name}, after {after}\n{plan}")
    assert not wasteful, "\n\n".join(wasteful)
