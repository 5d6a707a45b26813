"""What entries are found by: digests that mean the same for ever, times to the microsecond, outcomes."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils import uuid7

import services.compliance
from services.compliance.log.index import (
    Told,
    correlation_digest,
    digest,
    mention_rows,
    microseconds,
    read_event,
)
from services.compliance.log.outcome import outcome_of

MIGRATION = Path(services.compliance.__path__[0]) / "migrations" / "0001_log.sql"


def test_digests_are_the_first_64_bits_of_sha_256() -> None:
    """They stand in the database for years, so they never change."""
    assert digest("service:probes") == -1666287588349735197
    assert digest("") == int.from_bytes(bytes.fromhex("e3b0c44298fc1c14"), signed=True)


def test_names_of_any_length_are_not_remembered() -> None:
    """What an event mentions has no bound; only what an envelope holds, of 255 characters at the most, is kept."""
    kept = digest.cache_info().currsize
    assert mention_rows(1, 2, 3, Told(systems=[{"id": "x" * 40_000 + str(number)} for number in range(9)]))
    assert digest.cache_info().currsize == kept


def test_the_index_of_actors_leaves_out_the_probes() -> None:
    """The migration names the digest that stands for `service:probes`."""
    assert re.findall(r"actor <> (-?[0-9]+)", MIGRATION.read_text()) == [str(digest("service:probes"))]


@given(st.text(max_size=40))
def test_any_correlation_id_has_a_digest_of_64_bits(text: str) -> None:
    """UUIDs or not."""
    assert -(2**63) <= correlation_digest(text) < 2**63


def test_digests_of_new_correlation_ids_rise() -> None:
    """Those of ids made later are larger, to the millisecond; the last 16 bits tell ids of one millisecond apart."""
    digests = [correlation_digest(str(uuid7())) for _ in range(200)]
    assert [value >> 16 for value in digests] == sorted(value >> 16 for value in digests)
    first = correlation_digest("01a20112-da77-7083-8514-175cdf238b1f")
    assert correlation_digest("01a20112-da77-7999-9999-999999998b20") == first + 1


def test_a_correlation_id_of_high_bits_and_one_that_only_looks_like_a_uuid() -> None:
    """Both fit a bigint."""
    assert correlation_digest("ffffffff-ffff-4fff-8fff-ffffffffffff") == -1
    assert correlation_digest("g" * 36) == digest("g" * 36)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001 -- hypothesis wants naive bounds
def test_times_are_microseconds_since_2000(naive: datetime, hours: int) -> None:
    """As PostgreSQL stores them, whatever zone they were written in."""
    instant = naive.replace(tzinfo=UTC)
    assert datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(instant)) == instant
    text = (instant + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0")
    event = f'{{"type":"t","subject":"s","time":"{text}{hours:+03}:00","siteid":"n","actor":"a","correlationid":"c"}}'
    assert microseconds(read_event(event).time) == microseconds(instant)


@pytest.mark.parametrize(
    ("event_type", "word", "outcome"),
    [
        ("probe.result", "ok", 0),
        ("probe.result", "degraded", 4),
        ("probe.result", "failed", 8),
        ("probe.result", "skipped", 0),
        ("suite.completed", "passed", 0),
        ("suite.completed", "error", 8),
        ("backup.failed", None, 8),
        ("notice.failed", None, 4),
        ("alert.raised", None, 8),
        ("log.events_lost", None, 12),
        ("site.changed", None, 0),
        ("unknown.type", ["failed"], 0),
    ],
)
def test_how_events_ended(event_type: str, word: object, outcome: int) -> None:
    """In FHIR's four steps."""
    assert outcome_of(event_type, word) == outcome
