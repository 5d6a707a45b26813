"""What a peer says is kept as far as it can be kept, and never more of it than there is room for."""

from datetime import UTC, datetime, timedelta

from hypothesis import given

from services.probes.agents.domain import Brought
from services.probes.kinds.cleaning import FACTS_BYTES, LARGEST_NUMBER, cleaned
from services.probes.kinds.domain import Observation
from shared.events.envelope import MAX_EVENT_BYTES
from tests.unit.probes.kinds.wild import observations

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@given(observations)
def test_whatever_was_seen_an_agent_can_bring_it_in_less_than_an_event_may_have(seen: Observation) -> None:
    """Twice the size would still be one event, so that names and ids of any length fit beside it."""
    brought = Brought.of("tcp:a", NOW, NOW + timedelta(seconds=1), seen)
    body = brought.model_dump_json().encode()
    assert len(body) < MAX_EVENT_BYTES - 4096
    assert Brought.model_validate_json(body) == brought


@given(observations)
def test_what_is_clean_stays_as_it_is(seen: Observation) -> None:
    """An agent cleans what the service cleans again."""
    once = cleaned(seen)
    assert cleaned(once) == once


def test_what_can_be_kept_is_kept_word_for_word() -> None:
    """Text of any script, line ends, and numbers of any use."""
    seen = Observation(
        "failed",
        "rejected",
        "Прибор ‒ 装置\n\tдва 🩻",
        phases={"tcp": 1.25},
        rejection=(1, 1, 3),
        status="0xA700",
        measures={"used_ratio": 0.93, "bytes": 2.0**64},
        facts={"cipher": "TLS_AES_256_GCM_SHA384"},
    )
    assert cleaned(seen) == seen


def test_what_no_database_takes_is_replaced_or_left_out() -> None:
    """NUL, other control characters, half characters, and numbers that are none."""
    seen = Observation(
        "ok",
        "\x00",
        "a\x00b\x1b[31m\ud800c",
        rejection=(1, 1, 2**40),
        status="\x7f",
        measures={"nan": float("nan"), "inf": float("inf"), "vast": 2 * LARGEST_NUMBER, "tiny": 5e-324, "one": 1.0},
        facts={"na\x00me": "val\udfffue"},
    )
    clean = cleaned(seen)
    assert (clean.failure, clean.detail, clean.status) == ("\ufffd", "a\ufffdb\ufffd[31m\ufffdc", "\ufffd")
    assert (clean.measures, clean.rejection) == ({"tiny": 0.0, "one": 1.0}, None)
    assert clean.facts == {"na\ufffdme": "val\ufffdue"}


def test_what_is_too_long_is_cut_and_says_so() -> None:
    """Of many facts the first stay."""
    seen = Observation("ok", None, "x" * 5000, facts={f"fact {n}": "\ufffd" * 1000 for n in range(20)})
    clean = cleaned(seen)
    assert (len(clean.detail), clean.detail[-2:]) == (1000, "x…")
    assert list(clean.facts) == [f"fact {n}" for n in range(5)]
    assert sum(len(value.encode()) for value in clean.facts.values()) < FACTS_BYTES
