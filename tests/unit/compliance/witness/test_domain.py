"""What a witness cosigns is one history that only grows, whatever it is asked in whatever order."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.checkpoints.checkpoint import Checkpoint
from services.compliance.checkpoints.submission import build_submission
from services.compliance.log.tree import EMPTY_ROOT
from services.compliance.witness.domain import Kind, Known, Refusal, Request, read_request, why_not
from tests.small_log import ORIGIN, SmallLog, key_of, sign

LOG = SmallLog()
FORGED = SmallLog(forged_from=3)
LOGS = {ORIGIN: [LOG.keys[0].verifier]}


@dataclass
class Memory:
    """A witness without a disk."""

    last: Known | None = None
    recent: dict[int, Known] = field(default_factory=dict)
    now: int = 1_900_000_000

    def ask(self, raw: bytes) -> Refusal | None:
        """Cosigns, or says why not."""
        request = read_request(raw, LOGS)
        if isinstance(request, Refusal):
            return request
        refusal = why_not(request, self.last, self.recent, self.now)
        if refusal is None:
            self.last = Known(request.checkpoint, request.submission.note, self.now)
            self.recent[request.checkpoint.size] = self.last
        return refusal

    def refused(self, raw: bytes) -> Refusal:
        """Why it does not cosign."""
        refusal = self.ask(raw)
        assert refusal is not None
        return refusal


def knowing(*sizes: int) -> Memory:
    """A witness that has cosigned the honest log at these sizes."""
    memory, old = Memory(), 0
    for size in sizes:
        assert memory.ask(LOG.submission(old, size)) is None
        old = size
    return memory


def test_growing_log_is_cosigned() -> None:
    memory = knowing(0, 1, 2, 5, 8, 8, 13)
    assert memory.last is not None
    assert memory.last.checkpoint == LOG.checkpoint(13)


def test_unknown_log_is_not_found() -> None:
    refusal = Memory().refused(SmallLog("elsewhere.example/log").submission(0, 5))
    assert (refusal.status, refusal.outcome) == (404, "unknown_log")


@pytest.mark.parametrize(
    "note",
    [
        LOG.note(5, key_of(ORIGIN, number=1)),
        LOG.note(5, key_of("elsewhere.example/log")),
        LOG.note(5).replace(b"\n5\n", b"\n6\n"),
    ],
    ids=["another key of that name", "another log's key", "changed after it was signed"],
)
def test_untrusted_checkpoint_is_forbidden(note: bytes) -> None:
    refusal = Memory().refused(build_submission(0, [], note))
    assert (refusal.status, refusal.contradiction) == (403, None)


def test_key_of_one_log_can_not_speak_for_another() -> None:
    other = key_of("other.example/log")
    logs = LOGS | {"other.example/log": [other.verifier]}
    refusal = read_request(build_submission(0, [], LOG.note(5, other)), logs)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 403


def test_malformed_request_is_bad() -> None:
    for raw in (b"", b"old 1\n\n", b"old x\n\n" + LOG.note(5), build_submission(0, [], sign("one line\n", *LOG.keys))):
        assert Memory().refused(raw).status == 400


def test_old_size_beyond_the_checkpoint_is_bad() -> None:
    assert knowing(5).refused(build_submission(8, [], LOG.note(5))).status == 400


@pytest.mark.parametrize("old", [0, 3, 4, 6, 8])
def test_wrong_old_size_is_told_the_right_one(old: int) -> None:
    """With whatever proof; it is no contradiction."""
    for proof in ([], LOG.consistency(old, 8)):
        refusal = knowing(5).refused(build_submission(old, proof, LOG.note(8)))
        assert (refusal.status, refusal.known_size, refusal.contradiction) == (409, 5, None)


def test_old_size_of_an_unknown_log_is_zero() -> None:
    refusal = Memory().refused(LOG.submission(5, 8))
    assert (refusal.status, refusal.known_size) == (409, 0)


def test_first_checkpoint_needs_no_proof_and_takes_none() -> None:
    refusal = Memory().refused(build_submission(0, LOG.consistency(4, 5), LOG.note(5)))
    assert (refusal.status, refusal.contradiction) == (422, None)


def test_empty_tree_has_one_root() -> None:
    wrong = sign(str(Checkpoint(ORIGIN, 0, LOG.root(1))), *LOG.keys)
    assert Memory().refused(build_submission(0, [], wrong)).status == 422
    right = sign(str(Checkpoint(ORIGIN, 0, EMPTY_ROOT)), *LOG.keys)
    assert Memory().ask(build_submission(0, [], right)) is None


def test_same_size_with_another_root_is_a_fork() -> None:
    """Two signatures prove it, whatever old size is named."""
    for old, status in ((5, 422), (0, 409), (3, 409)):
        refusal = knowing(5).refused(build_submission(old, [], FORGED.note(5)))
        assert (refusal.status, refusal.outcome) == (status, Kind.FORK)
        assert refusal.contradiction is not None


def test_fork_is_found_among_what_was_cosigned_before() -> None:
    refusal = knowing(5, 8, 13).refused(build_submission(0, [], FORGED.note(8)))
    assert refusal.contradiction is not None
    assert refusal.contradiction.kind is Kind.FORK
    assert refusal.contradiction.known.checkpoint == LOG.checkpoint(8)


@pytest.mark.parametrize("size", [6, 8, 9, 13])
def test_longer_log_of_other_entries_is_not_cosigned(size: int) -> None:
    for proof in (FORGED.consistency(5, size), LOG.consistency(5, size), []):
        refusal = knowing(5).refused(build_submission(5, proof, FORGED.note(size)))
        assert (refusal.status, refusal.outcome) == (422, Kind.UNPROVEN)
        assert refusal.contradiction is not None
        assert refusal.contradiction.known.checkpoint == LOG.checkpoint(5)


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(0, "stale"), (59, "stale"), (60, Kind.SHRUNK), (86_400, Kind.SHRUNK)]
)
def test_shrunk_log_is_a_contradiction_when_it_is_not_just_late(seconds: int, outcome: str) -> None:
    """A log that was restored goes on to hand in what is too short; a slow request comes once and soon."""
    memory = knowing(8)
    memory.now += seconds
    refusal = memory.refused(LOG.submission(0, 5))
    assert (refusal.status, refusal.known_size, refusal.outcome) == (409, 8, outcome)
    assert (refusal.contradiction is None) == (outcome == "stale")


def test_late_checkpoint_is_none() -> None:
    """It was cosigned before: somebody is slow, or repeats what he has."""
    memory = knowing(5, 8)
    memory.now += 86_400
    refusal = memory.refused(LOG.submission(0, 5))
    assert (refusal.status, refusal.known_size, refusal.contradiction) == (409, 8, None)


def test_several_keys_of_a_log_are_trusted() -> None:
    """While one replaces the other."""
    new = key_of(ORIGIN, number=1)
    raw = build_submission(0, [], LOG.note(5, *LOG.keys, new))
    for keys in ([*LOGS[ORIGIN]], [new.verifier], [*LOGS[ORIGIN], new.verifier]):
        assert isinstance(read_request(raw, {ORIGIN: keys}), Request)


sizes = st.integers(0, 12)


@given(st.lists(st.tuples(st.booleans(), sizes, sizes, st.booleans())))
def test_only_one_growing_history_is_ever_cosigned(asked: list[tuple[bool, int, int, bool]]) -> None:
    """Whichever log is first to differ is the one; the other never comes in."""
    memory, cosigned = Memory(), []
    for is_forged, old, new, proves_well in asked:
        log = FORGED if is_forged else LOG
        proof = (log if proves_well else LOG).consistency(old, new)
        if memory.ask(build_submission(old, proof, log.note(new))) is None:
            cosigned.append(log.checkpoint(new))
    assert [c.size for c in cosigned] == sorted(c.size for c in cosigned)
    assert any(all(c == log.checkpoint(c.size) for c in cosigned) for log in (LOG, FORGED))


@given(st.binary())
def test_any_bytes_are_answered(raw: bytes) -> None:
    assert knowing(5).refused(raw).status == 400
