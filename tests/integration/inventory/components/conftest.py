"""A fleet that is large enough for the database to choose its ways through it."""

from collections.abc import AsyncIterator

import pytest

from shared.database import Pool, close_pool, open_pool
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


@pytest.fixture
async def fleet(database: str) -> AsyncIterator[Pool]:
    """20,000 components in 500 sites, for inventory's own role."""
    await execute(database, FILLING)
    opened = await open_pool(login(database, "steward_inventory"), schema="inventory", application="test")
    yield opened
    await close_pool(opened)
