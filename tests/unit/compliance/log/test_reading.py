"""Reading quickly: what is taken keeps its contract, and tells the index the same as the contract's own way."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.log.domain import Arrival
from services.compliance.log.index import Told, read_told
from services.compliance.log.reading import MAX_DEPTH, quick_reader, read_arrival, read_arrivals
from shared.errors import Unreadable
from shared.events import CONTRACTS, EventData
from shared.events.envelope import Envelope, check_envelope, read_envelope
from shared.events.inventory import AssetChanged
from shared.events.probes import ProbeResult

SAMPLES = Path(__file__).parents[3] / "contract/events/samples"
QUICK = {topic: reader for topic in CONTRACTS if (reader := quick_reader(topic)) is not None}
ENVELOPE = set(Envelope.__struct_fields__)
NOW = datetime(2026, 3, 29, tzinfo=UTC)

NUMBERS = ["0", "-0", "1.0", "1e300", "1e400", "1e-400", "NaN", "Infinity", *("9" * n for n in (20, 309, 400, 4301))]
WORDS = ['"ok"', '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\x7f"', "null", "true", "{}", "[]", '{"a":1,"a":"x"}']
DAYS = ["2026-01-01", "0000-01-01", "0001-01-01", "9999-12-31", "2023-02-29", "20260101"]
CLOCKS = ["00:00:00", "24:00:00", "23:59:60", "12:00", "00:00:00.1234569", "23:59:59.9999999", "00:00:00,5"]
ZONES = ["Z", "z", "", "-00:00", "+23:59", "-23:59", "+24:00", "+0530", "+05"]

instants = st.builds(
    lambda *parts: json.dumps("".join(parts)),
    *map(st.sampled_from, (DAYS, ["T", "t", " ", "_"], CLOCKS, ZONES)),
)
values = (
    st.sampled_from(NUMBERS + WORDS)
    | instants
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ).map(json.dumps)
)


def sample_of(contract: type[EventData]) -> dict[str, Any]:
    """The contract's sample."""
    path = SAMPLES / f"{contract.event_type}.{contract.schema_version}.json"
    event: dict[str, Any] = json.loads(path.read_bytes())
    return event


def joined(members: dict[str, str]) -> str:
    """A JSON object of members that are JSON already."""
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items()) + "}"


@pytest.mark.parametrize("topic", QUICK)
@given(changes=st.data())
def test_what_is_read_quickly_keeps_its_contract(topic: str, changes: st.DataObject) -> None:
    """Whatever stands in one of the members, or behind them all."""
    event = sample_of(CONTRACTS[topic])
    data = {name: json.dumps(value) for name, value in event["data"].items()}
    around = {name: json.dumps(value) for name, value in event.items()}
    if changes.draw(st.integers(0, 3)):
        data[changes.draw(st.sampled_from([*data, "outcome", "system_id", "systems"]))] = changes.draw(values)
        around["data"] = joined(data)
    else:
        around[changes.draw(st.sampled_from([*around, "unknown"]))] = changes.draw(values)
    raw = joined(around).encode()
    with suppress(msgspec.MsgspecError, Unreadable):
        quick = QUICK[topic](raw)
        check_envelope(quick, NOW)
        envelope, contract = read_envelope_or_fail(raw, topic)
        contract.model_validate_json(bytes(memoryview(envelope.data)))
        plain = read_told(envelope.data)
        for name in ENVELOPE - {"data"}:
            assert getattr(quick, name) == getattr(envelope, name)
        for name in Told.__struct_fields__:
            assert getattr(quick.data, name) == getattr(plain, name)


def read_envelope_or_fail(raw: bytes, topic: str) -> tuple[Envelope, type[EventData]]:
    """What was read quickly must be readable."""
    try:
        return read_envelope(raw, topic=topic, now=NOW)
    except Unreadable as exc:
        raise AssertionError(f"{exc}: {raw!r}") from exc


@pytest.mark.parametrize("topic", QUICK)
def test_an_event_as_services_make_it_is_read_quickly(topic: str) -> None:
    """None of them needs the slower way."""
    QUICK[topic](json.dumps(sample_of(CONTRACTS[topic])).encode())


@pytest.mark.parametrize("change", [b"\xff", b"\xc3(", b"\xed\xa0\x80"])
def test_bytes_that_are_no_utf_8_are_unreadable(change: bytes) -> None:
    """Also in a member that nobody reads."""
    raw = json.dumps(sample_of(ProbeResult) | {"unknown": "?"}).encode().replace(b"?", change)
    with pytest.raises(Unreadable, match="utf-8"):
        read_arrival(raw, topic="probe.result", now=NOW)


@pytest.mark.parametrize("topic", QUICK)
@pytest.mark.parametrize("change", [b"\xff", b"\xc3(", b"\xed\xa0\x80"])
def test_nothing_is_read_quickly_that_is_no_utf_8(topic: str, change: bytes) -> None:
    """Wherever it stands: in any text, and in any name."""
    raw = json.dumps(sample_of(CONTRACTS[topic])).encode()
    for at in [at for at, byte in enumerate(raw) if chr(byte).isalnum()]:
        broken = raw[:at] + change + raw[at + 1 :]
        with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
            QUICK[topic](broken)


FAULTS: list[dict[str, object]] = [
    {"type": "site.changed"},
    {"source": "/services/Probes"},
    {"siteid": "North"},
    {"sequence": "1"},
    {"sequence": "\u0661" * 20},
    {"time": "1969-12-31T23:59:59Z"},
    {"time": "2026-03-31T00:00:00Z"},
    {"data": {}},
    {"unknown": "\u00e9"},
    {},
]


@given(st.lists(st.sampled_from(FAULTS), min_size=1, max_size=5))
def test_messages_are_judged_together_as_they_are_one_by_one(faults: list[dict[str, object]]) -> None:
    """What is wrong with one changes nothing for the others."""
    raws = [json.dumps(sample_of(ProbeResult) | {"time": "2026-03-29T00:00:00Z"} | fault).encode() for fault in faults]
    together = read_arrivals(raws, topic="probe.result", now=NOW)
    assert [str(one) if isinstance(one, Unreadable) else one for one in together] == [*map(read_alone, raws)]


def read_alone(raw: bytes) -> Arrival | str:
    """What is said of one message by itself."""
    try:
        return read_arrival(raw, topic="probe.result", now=NOW)
    except Unreadable as exc:
        return str(exc)


@pytest.mark.parametrize("name", ["outcome", "system_id", "systems", "unknown"])
@pytest.mark.parametrize(
    "value",
    ["1e999", "9" * 5000, "-" + "9" * 4301, "[" * 101 + "]" * 101, '{"a":' * 900 + "1" + "}" * 900, '"\\ud800"'],
)
def test_what_is_taken_can_be_read_again(name: str, value: str) -> None:
    """By Python's own JSON too, deep in a request; whatever else comes is unreadable, and never an error."""
    for contract in (ProbeResult, AssetChanged):
        sample = sample_of(contract)
        data = {key: json.dumps(told) for key, told in sample["data"].items()} | {name: value}
        for event in (sample | {"data": "?"}, sample | {"unknown": "?"}):
            raw = json.dumps(event).replace('"?"', joined(data) if event["data"] == "?" else value, 1).encode()
            with suppress(Unreadable):
                arrival = read_arrival(raw, topic=contract.event_type, now=NOW)
                assert arrival.raw == raw
                json.loads(raw)
                assert deepest(raw) <= MAX_DEPTH


def deepest(raw: bytes) -> int:
    """How deep JSON without brackets in its strings is nested."""
    steps = [(byte in b"[{") - (byte in b"]}") for byte in raw]
    return max(accumulate(steps))


def test_brackets_and_digits_in_text_are_no_nesting_and_no_number() -> None:
    """An event is judged by its form, not by what its texts say."""
    detail = '[{\\"' * 300 + "1" * 4400
    raw = json.dumps(sample_of(ProbeResult) | {"unknown": "?"}).replace("?", detail).encode()
    assert read_arrival(raw, topic="probe.result", now=NOW).raw == raw


@pytest.mark.parametrize("time", ["1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_no_clock_shows_is_unreadable(time: str) -> None:
    """Some of the year 1 lie before all that calendars have, and could be stored but not read."""
    raw = json.dumps(sample_of(ProbeResult) | {"time": time}).encode()
    with pytest.raises(Unreadable, match="before 1970"):
        read_arrival(raw, topic="probe.result", now=NOW)


def test_an_event_is_read_alike_where_there_is_no_quick_reader() -> None:
    """Contracts of nested models have none; their events are few, and nearly all are results of probes."""
    assert quick_reader("asset.changed") is None
    assert quick_reader("probe.result") is not None
    raw = json.dumps(sample_of(AssetChanged)).encode()
    arrival = read_arrival(raw, topic="asset.changed", now=NOW)
    assert (arrival.raw, arrival.envelope.type) == (raw, "asset.changed")
    assert arrival.told.system_id == sample_of(AssetChanged)["data"]["system_id"]
