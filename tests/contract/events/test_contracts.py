"""What is on the wire stays readable: golden samples, the published document, and what would break a promise."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.console.contracts.asyncapi import asyncapi_document, event_schema
from services.console.contracts.compatibility import broken_promises
from services.console.contracts.publish import PUBLISHED, as_text
from shared.events import CONTRACTS, EventData, decode

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))
LATER = datetime(2030, 1, 1, tzinfo=UTC)
REGENERATE = "run: python -m services.console.contracts.publish"


def contract_of(sample: Path) -> str:
    """``probe.result.1.json`` is a sample of ``probe.result``, as is ``probe.result.1.with-tls.json``."""
    return ".".join(sample.name.split(".")[:2])


def holds(whole: Any, part: Any) -> bool:
    """Whether ``whole`` tells all that ``part`` does; a list must be told entirely."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return (
            isinstance(whole, list)
            and len(whole) == len(part)
            and all(holds(one, other) for one, other in zip(whole, part, strict=True))
        )
    return bool(whole == part)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_sample_is_read_whole(sample: Path) -> None:
    """Every message that was ever sent is decoded, and no value of it is lost or changed."""
    raw = sample.read_bytes()
    event = decode(raw, topic=contract_of(sample), now=LATER)
    sent = json.loads(raw)
    assert holds(json.loads(event.data.model_dump_json()), sent["data"])
    assert f"{event.type}.{type(event.data).schema_version}" == ".".join(sample.name.split(".")[:3])


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_sample_keeps_its_published_schema(sample: Path) -> None:
    """The JSON Schema that the console serves accepts what is on the wire."""
    schema = event_schema(CONTRACTS[contract_of(sample)])
    jsonschema.validate(json.loads(sample.read_bytes()), schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.event_type)
def test_contract_has_a_sample_of_every_field(contract: type[EventData]) -> None:
    """Add a sample for a new contract, and a second one, ``TYPE.VERSION.WHAT.json``, for a new field."""
    name = f"{contract.event_type}.{contract.schema_version}."
    shown = [json.loads(path.read_bytes())["data"] for path in SAMPLES if path.name.startswith(name)]
    assert shown, f"tests/contract/events/samples/{name}json is missing"
    unseen = set(contract.model_fields) - {field for data in shown for field in data}
    assert not unseen, f"no sample of {name} shows {unseen}"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_new_fields_stand_behind_those_of_the_sample(sample: Path) -> None:
    """The sample's fields come first in the model, in their order; all others have a default."""
    model = CONTRACTS[contract_of(sample)].model_fields
    sent = list(json.loads(sample.read_bytes())["data"])
    assert list(model)[: len(sent)] == sent
    assert not [name for name in list(model)[len(sent) :] if model[name].is_required()]


def test_published_document_tells_of_the_contracts_as_they_are() -> None:
    """docs/asyncapi.json has not drifted from the models."""
    assert PUBLISHED.exists(), REGENERATE
    assert PUBLISHED.read_text() == as_text(asyncapi_document()), REGENERATE


def test_contracts_keep_what_the_published_document_promises() -> None:
    """Fields are only added, at the end, with a default; anything else is a new version."""
    assert not broken_promises(json.loads(PUBLISHED.read_text()), asyncapi_document())
