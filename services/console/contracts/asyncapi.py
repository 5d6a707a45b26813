"""Makes the AsyncAPI 3.0 document and the JSON Schemas from the contracts in shared/events.

Consumers ignore fields that they don't know, so the schemas allow them.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic.json_schema import models_json_schema

from shared.events import CONTRACTS, EventData
from shared.events.envelope import Envelope

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
MEDIA_TYPE = "application/cloudevents+json"
Json = dict[str, Any]


def asyncapi_document(contracts: Mapping[str, type[EventData]] = CONTRACTS) -> Json:
    """All channels, messages and schemas (AsyncAPI 3.0.0), in the order of their types."""
    ordered = [contracts[name] for name in sorted(contracts)]
    models, definitions = models_json_schema(
        [(contract, "validation") for contract in ordered], ref_template="#/components/schemas/{model}"
    )
    schemas = {name: _without_titles(schema) for name, schema in definitions.get("$defs", {}).items()}
    data = {contract: models[(contract, "validation")] for contract in ordered}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Steward events",
            "version": "1.0.0",
            "description": "One topic for each type of event. An event's subject is its key, so all that happens to one"
            " asset, or to one site, stays in order. New fields are added at the end; anything else is a new version.",
        },
        "defaultContentType": MEDIA_TYPE,
        "channels": {contract.event_type: _channel(contract) for contract in ordered},
        "operations": {f"publish-{contract.event_type}": _operation(contract) for contract in ordered},
        "components": {
            "messages": {contract.event_type: _message(contract, data[contract]) for contract in ordered},
            "schemas": {"Envelope": _envelope(), **schemas},
        },
    }


def event_schema(contract: type[EventData]) -> Json:
    """One type's whole event, envelope and data, as a JSON Schema (draft 2020-12) that stands alone."""
    data = _without_titles(contract.model_json_schema(mode="validation"))
    definitions = data.pop("$defs", {})
    return {
        "$schema": JSON_SCHEMA,
        "$id": contract.dataschema(),
        "title": contract.event_type,
        "description": _promise(contract),
        "allOf": [_envelope(), _particulars(contract, data)],
        **({"$defs": definitions} if definitions else {}),
    }


def _channel(contract: type[EventData]) -> Json:
    topic = contract.topic
    keeping: Json = {"cleanup.policy": ["compact"]}
    if not topic.compacted:
        keeping = {"cleanup.policy": ["delete"], "retention.ms": int(topic.retention.total_seconds() * 1000)}
    return {
        "address": topic.name,
        "description": _promise(contract),
        "messages": {contract.event_type: {"$ref": f"#/components/messages/{contract.event_type}"}},
        "bindings": {"kafka": {"partitions": topic.partitions, "topicConfiguration": keeping}},
    }


def _operation(contract: type[EventData]) -> Json:
    return {"action": "send", "channel": {"$ref": f"#/channels/{contract.event_type}"}}


def _message(contract: type[EventData], data: Json) -> Json:
    return {
        "name": contract.event_type,
        "summary": _promise(contract),
        "contentType": MEDIA_TYPE,
        "payload": {"allOf": [{"$ref": "#/components/schemas/Envelope"}, _particulars(contract, data)]},
        "bindings": {"kafka": {"key": {"type": "string", "description": "the event's subject"}}},
    }


def _envelope() -> Json:
    schema = _without_titles(msgspec.json.schema(Envelope)["$defs"]["Envelope"])
    schema["properties"]["data"] = {"type": "object"}
    schema["properties"]["datacontenttype"] = {"const": "application/json"}
    return schema


def _particulars(contract: type[EventData], data: Json) -> Json:
    return {
        "properties": {
            "type": {"const": contract.event_type},
            "dataschema": {"const": contract.dataschema()},
            "data": data,
        }
    }


def _promise(contract: type[EventData]) -> str:
    return re.sub(r"\s+", " ", inspect.getdoc(contract) or "")


def _without_titles(schema: Json) -> Json:
    """Pydantic titles every field with its own name; that says nothing and doubles the document."""
    if "properties" in schema:
        schema["properties"] = {
            name: {key: value for key, value in field.items() if key != "title"}
            for name, field in schema["properties"].items()
        }
    if "description" in schema:
        schema["description"] = re.sub(r"\s+", " ", schema["description"])
    for name, nested in schema.get("$defs", {}).items():
        schema["$defs"][name] = _without_titles(nested)
    return schema
