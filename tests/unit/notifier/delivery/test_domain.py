"""What the mail server's answer means for a delivery."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notifier.delivery.domain import (
    Accepted,
    Claimed,
    Deferred,
    Notice,
    Outcome,
    Rejected,
    RetryPolicy,
    Verdict,
    Withheld,
    judge,
    thread_name,
)

NOW = datetime(2030, 6, 14, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = RetryPolicy((1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 60 * MINUTE), timedelta(days=4))


def claimed(attempts: int = 1, age: timedelta = MINUTE) -> Claimed:
    notice = Notice(
        id="n",
        site_id="north",
        about="w",
        kind="announcement",
        revision=0,
        due_at=NOW - age,
        expires_at=None,
        breaches_lead_time=False,
        state="addressed",
        planned_at=NOW - age,
        correlation_id="c",
        causation_id=None,
        traceparent=None,
    )
    return Claimed("d", "lease", "ana", attempts, NOW - age, notice)


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 1), (2, 5), (3, 15), (4, 60), (5, 60), (90, 60)])
@pytest.mark.parametrize("outcome", [Deferred(None, "no answer"), Deferred(451, "busy"), Rejected(535, "who?", False)])
def test_what_may_be_mended_is_tried_again_with_growing_pauses(outcome: Outcome, attempts: int, minutes: int) -> None:
    verdict = judge(outcome, claimed(attempts), POLICY, NOW)
    assert (verdict.state, verdict.next_try_at) == ("planned", NOW + minutes * MINUTE)
    assert not verdict.suppresses_address


def test_a_mail_is_given_up_at_its_age_and_says_why() -> None:
    verdict = judge(Deferred(451, "busy"), claimed(age=timedelta(days=4)), POLICY, NOW)
    assert verdict == Verdict("bounced", "given up: 451 busy")


def test_only_a_refused_recipient_suppresses_the_address() -> None:
    verdict = judge(Rejected(550, "no such user", recipient_refused=True), claimed(), POLICY, NOW)
    assert verdict == Verdict("bounced", "550 no such user", suppresses_address=True)


def test_what_was_withheld_is_superseded_or_if_somebody_missed_it_bounced() -> None:
    assert judge(Withheld("cancelled", is_lost=False), claimed(), POLICY, NOW).state == "superseded"
    assert judge(Withheld("too late", is_lost=True), claimed(), POLICY, NOW).state == "bounced"


@pytest.mark.parametrize(
    "said",
    [
        "<ana@north.example> is full",
        "ana@north.example: full",
        "mailbox (ANA@North.example) full",
        "«añá@nörd.example»",
    ],
)
def test_the_answer_is_kept_without_the_address(said: str) -> None:
    assert "@" not in judge(Accepted(250, said), claimed(), POLICY, NOW).answer


def test_a_thread_takes_any_id() -> None:
    assert thread_name("alert", "probe/7 <x>") == "alert-probe-7-x-"
