"""Results of probes as the service probes makes them: 600 to 700 bytes each, of 400 targets at five sites."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from shared.bus import Message
from shared.events import encode_unsequenced, with_sequence
from shared.events.probes import ProbeResult
from shared.transactions import new_id

SITES = ("north", "south", "east-clinic", "west", "harbour")
TARGETS = 400
EVERY = timedelta(milliseconds=100)


def probe_results(count: int, first: int = 0) -> Iterator[Message]:
    """``count`` results with rising sequences, ten a second, of which the last would be made about now."""
    began = datetime.now(UTC).replace(microsecond=0) - (first + count) * EVERY
    for number in range(first, first + count):
        yield _message(number, began + number * EVERY)


def _message(number: int, due_at: datetime) -> Message:
    target = number * 7919 % TARGETS
    subject = f"pacs-{target:03}"
    has_failed = number % 97 == 0
    took_ms = round(0.3 + number * 31 % 9973 / 1000, 3)
    data = ProbeResult(
        probe_id=f"tcp:{subject}",
        kind="tcp",
        due_at=due_at,
        started_at=due_at + timedelta(microseconds=1_000 + number * 31 % 9_000),
        outcome="failed" if has_failed else "ok",
        failure="timeout" if has_failed else None,
        detail="no answer within 5 s" if has_failed else "",
        phases={"tcp": took_ms},
        lag_ms=round(1 + number * 31 % 9_000 / 1_000, 3),
        vantage="dc1",
    )
    body = encode_unsequenced(
        data,
        event_id=new_id(),
        source="/services/probes",
        subject=subject,
        time=due_at + timedelta(milliseconds=took_ms + 20),
        site_id=SITES[target % len(SITES)],
        actor="service:probes",
        correlation_id=new_id(),
        causation_id=None,
        traceparent=None,
    )
    return Message(ProbeResult.event_type, subject, with_sequence(body, number + 1))
