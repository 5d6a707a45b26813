"""Reading quickly: what is taken keeps its contract, and tells the index the same as the contract's own way."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.log.index import read_told
from services.compliance.log.reading import quick_reader
from shared.events import CONTRACTS, EventData
from shared.events.inventory import AssetChanged
from shared.events.probes import ProbeResult

SAMPLES = Path(__file__).parents[3] / "contract/events/samples"
QUICK = {name: reader for name, contract in CONTRACTS.items() if (reader := quick_reader(contract)) is not None}

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
    """The data of the contract's sample."""
    path = SAMPLES / f"{contract.event_type}.{contract.schema_version}.json"
    data: dict[str, Any] = json.loads(path.read_bytes())["data"]
    return data


@pytest.mark.parametrize("name", QUICK)
@given(changes=st.data())
def test_what_is_read_quickly_keeps_its_contract(name: str, changes: st.DataObject) -> None:
    """Whatever stands in one of the members, or behind them all."""
    contract = CONTRACTS[name]
    members = {member: json.dumps(value) for member, value in sample_of(contract).items()}
    members[changes.draw(st.sampled_from([*members, "outcome", "system_id", "systems"]))] = changes.draw(values)
    raw = "{" + ",".join(f"{json.dumps(member)}:{text}" for member, text in members.items()) + "}"
    try:
        told = QUICK[name](msgspec.Raw(raw.encode()))
    except msgspec.MsgspecError:
        return
    contract.model_validate_json(raw)
    plain = read_told(raw)
    assert (told.outcome, told.system_id, told.systems) == (plain.outcome, plain.system_id, plain.systems)


@pytest.mark.parametrize("name", QUICK)
def test_an_event_as_services_make_it_is_read_quickly(name: str) -> None:
    """None of them needs the contract's own, slower way."""
    QUICK[name](msgspec.Raw(json.dumps(sample_of(CONTRACTS[name])).encode()))


def test_a_contract_of_nested_models_has_no_quick_reader() -> None:
    """Theirs are few; nearly all events are results of probes, which are flat."""
    assert quick_reader(AssetChanged) is None
    assert quick_reader(ProbeResult) is not None
