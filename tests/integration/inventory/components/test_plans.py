"""A filtered page of components costs what it finds, and not what the group has: every filter reads an index."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import pytest

from services.inventory.components.store import Selection, select_components
from shared.database import Connection, Pool, close_pool, open_pool
from tests.conftest import execute
from tests.integration.conftest import login

COMPONENTS = 20_000
FILLING = f"""
SET search_path = inventory, public;
INSERT INTO sites SELECT s.* FROM generate_series(0, 499) n, jsonb_populate_record(NULL::sites, jsonb_build_object(
    'id', 'site-' || n, 'name', 'Hospital ' || n, 'time_zone', 'UTC', 'version', 1)) s;
INSERT INTO assets (id, kind, site_id, name, state, version, vendor, product, software_version, environment, deployment)
SELECT 'system-' || n, 'system', 'site-' || n, 'Archive', 'in_service', 1, 'V', 'P', '1', 'production', 'on_premises'
FROM generate_series(0, 499) n;
CREATE TEMPORARY TABLE made AS
SELECT lpad(n::text, 12, '0') AS id, 'site-' || n % 500 AS site_id, 'system-' || n % 500 AS system_id,
       CASE WHEN n % 37 = 0 THEN 'proposed' ELSE 'in_service' END AS state,
       (ARRAY['drive', 'drive', 'drive', 'port', 'server', 'ups', 'licence'])[1 + n / 500 % 7] AS type,
       'maker ' || n / 3 % 8 AS maker, 'model ' || n / 7 % 480 AS model, n
FROM generate_series(1, {COMPONENTS}) n;
INSERT INTO assets (id, kind, site_id, name, state, version, system_id)
SELECT id, 'component', site_id, type || ' ' || n % 97, state, 1, system_id FROM made;
INSERT INTO components (asset_id, site_id, state, type, installed_in, manufacturer, manufacturer_key, maker_key, model,
                        model_key, product_id, serial, serial_key, asset_tag, tag_key, software_version, purchase_date,
                        fields, search_text)
SELECT id, site_id, state, type, CASE WHEN n % 20 < 10 AND n > 10000 THEN lpad((n - 10000)::text, 12, '0') END, maker,
       maker, maker, model, model, 'product ' || n % 40, 's' || n, 's' || n, 't' || n, 't' || n, n % 9 || '.' || n % 7,
       date '2015-01-01' + n % 3900, jsonb_build_object('rack_units', n % 40),
       type || ' ' || n % 97 || ' s' || n || ' t' || n || ' ' || maker || ' ' || model
FROM made;
ANALYZE;
"""
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


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """20,000 components in 500 sites."""
    await execute(database, FILLING)
    opened = await open_pool(login(database, "steward_inventory"), schema="inventory", application="test")
    yield opened
    await close_pool(opened)


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


async def test_no_filter_reads_a_whole_table(pool: Pool) -> None:
    """Whoever asks, from the first page or a later one, and whether much, little or nothing is found."""
    wasteful = []
    async with pool.acquire() as conn:
        for who, sites in CALLERS.items():
            for name, asked in FILTERS.items():
                for after in (None, "000000011111"):
                    async with conn.transaction():
                        for plan in await plans_of(conn, Selection(visible=sites, **asked), after):
                            if re.search(r"Seq Scan on (components|assets)", plan):
                                wasteful.append(f"{who}, {name}, after {after}\n{plan}")
    assert not wasteful, "\n\n".join(wasteful)
