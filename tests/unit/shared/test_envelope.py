"""The envelope: what goes in comes out, the bytes stay as they are, and rubbish is named."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import TooLarge, Unreadable
from shared.events import MAX_EVENT_BYTES, decode, encode_unsequenced, with_sequence
from shared.events.inventory import AssetTransitioned

NOW = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
TOPIC = "asset.transitioned"


def wire(reason: str = "replaced", sequence: int = 7, **changes: Any) -> bytes:
    """An event as it stands on the bus."""
    header: dict[str, Any] = {
        "event_id": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10",
        "source": "/services/inventory",
        "subject": "asset-1",
        "time": NOW,
        "site_id": "north",
        "actor": "alice",
        "correlation_id": "flow-1",
        "causation_id": None,
        "traceparent": None,
    }
    data = AssetTransitioned(from_state="in_service", to_state="retiring", reason=reason)
    return with_sequence(encode_unsequenced(data, **(header | changes)), sequence)


@given(st.text(max_size=500), st.integers(1, 10**18), st.text(min_size=1, max_size=200))
def test_what_was_recorded_is_read_again(reason: str, sequence: int, actor: str) -> None:
    """Every text and sequence survives the wire."""
    event = decode(wire(reason, sequence, actor=actor), topic=TOPIC, now=NOW)
    assert isinstance(event.data, AssetTransitioned)
    assert (event.data.reason, event.sequence, event.actor, event.time) == (reason, sequence, actor, NOW)


@given(st.integers(0, 10**19), st.integers(0, 10**19))
def test_sequences_sort_as_text(one: int, other: int) -> None:
    """CloudEvents asks that of the extension ``sequence``."""
    texts = [json.loads(with_sequence(b"{}", n).replace(b"{,", b"{"))["sequence"] for n in (one, other)]
    assert (texts[0] < texts[1]) == (one < other)


def test_the_wire_format_is_cloudevents_json() -> None:
    """Attribute names and forms as in CloudEvents 1.0, JSON format §3."""
    message = json.loads(wire(causation_id="cause", traceparent="00-1-2-01"))
    assert list(message) == [
        *("specversion", "id", "source", "type", "subject", "time", "dataschema", "datacontenttype"),
        *("siteid", "actor", "correlationid", "causationid", "traceparent", "data", "sequence"),
    ]
    assert message["specversion"] == "1.0"
    assert message["time"] == "2026-03-29T01:00:00Z"


def test_the_limit_counts_the_finished_event() -> None:
    """An event of exactly 48 KiB passes; one byte more does not."""
    room = MAX_EVENT_BYTES - len(wire(""))
    assert len(wire("x" * room)) == MAX_EVENT_BYTES
    decode(wire("x" * room), topic=TOPIC, now=NOW)
    with pytest.raises(TooLarge, match=str(MAX_EVENT_BYTES + 1)):
        wire("x" * (room + 1))


@given(st.binary(max_size=2000))
def test_any_bytes_are_an_event_or_unreadable(raw: bytes) -> None:
    """No input makes the decoder fail in another way."""
    with pytest.raises(Unreadable):
        decode(raw, topic=TOPIC, now=NOW)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_a_damaged_event_is_an_event_or_unreadable(place: int, damage: bytes) -> None:
    """Overwritten bytes give another event or a reason, never an accident."""
    raw = wire()
    damaged = raw[:place] + damage + raw[place + len(damage) :]
    with suppress(Unreadable):
        assert decode(damaged, topic=TOPIC, now=NOW).raw == damaged


@pytest.mark.parametrize("lead", [timedelta(days=1, seconds=1), timedelta(days=365 * 7000)])
def test_a_time_far_ahead_is_unreadable(lead: timedelta) -> None:
    """A producer whose clock is wrong, or the year 9999."""
    with pytest.raises(Unreadable, match="time"):
        decode(wire(time=NOW + lead), topic=TOPIC, now=NOW)


def test_a_clock_a_few_hours_apart_is_no_fault() -> None:
    """Clocks drift; late events of the past are always welcome."""
    decode(wire(time=NOW + timedelta(hours=23)), topic=TOPIC, now=NOW)
    decode(wire(time=NOW - timedelta(days=4000)), topic=TOPIC, now=NOW)


def test_fields_of_a_newer_producer_are_ignored() -> None:
    """Contracts grow at the end; older consumers go on."""
    message = json.loads(wire())
    message["data"]["new_field"] = 1
    message["newextension"] = "x"
    assert decode(json.dumps(message).encode(), topic=TOPIC, now=NOW).subject == "asset-1"


@pytest.mark.parametrize(
    ("member", "value"), [("siteid", "north\n"), ("sequence", "1" * 20 + "\n"), ("source", "/services/x\n")]
)
def test_a_line_feed_behind_a_name_is_unreadable(member: str, value: str) -> None:
    """It would otherwise reach the audit log's header, whose end is a line feed."""
    message = json.loads(wire())
    message[member] = value
    with pytest.raises(Unreadable, match=member):
        decode(json.dumps(message).encode(), topic=TOPIC, now=NOW)


def test_bytes_that_are_no_utf_8_are_unreadable_wherever_they_stand() -> None:
    """Also in a member that nobody reads."""
    with pytest.raises(Unreadable, match="utf-8"):
        decode(wire()[:-1] + b',"unknown":"\xe9"}', topic=TOPIC, now=NOW)
