"""A database of probes in which nothing runs but what a test claims itself."""

from collections.abc import AsyncIterator

import pytest

from shared.database import Pool, open_pool
from tests.integration.conftest import login


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The connections of a replica."""
    pool = await open_pool(login(database, "steward_probes"), schema="probes", application="test-probes")
    yield pool
    pool.terminate()
