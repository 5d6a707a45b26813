"""The contracts over HTTP, open to whoever writes a consumer."""

import pytest

from shared.events import CONTRACTS
from tests.integration.console.conftest import Visit


async def test_asyncapi_document_tells_of_every_topic(visit: Visit) -> None:
    """Without a token."""
    document = (await visit().get("/console/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == set(CONTRACTS)


@pytest.mark.parametrize("event_type", ["probe.result", "asset.changed"])
async def test_schema_of_a_type_names_its_version(visit: Visit, event_type: str) -> None:
    """Its id is the event's ``dataschema``."""
    schema = (await visit().get(f"/console/schemas/{event_type}.json")).json()
    assert schema["$id"] == f"urn:steward:{event_type}:1"


async def test_an_unknown_type_has_no_schema(visit: Visit) -> None:
    """404, as a problem document."""
    answer = await visit().get("/console/schemas/../secret.json")
    assert answer.status_code == 404
    assert (await visit().get("/console/schemas/nothing.json")).status_code == 404
