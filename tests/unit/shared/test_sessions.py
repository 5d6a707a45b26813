"""A pool hands its connections on as they are, so nothing that runs on them may change the session."""

import re

from tests.source import modules

CHANGES_A_SESSION = re.compile(
    r"^\s*SET\s+(?!LOCAL|TRANSACTION|CONSTRAINTS)|^\s*(LISTEN|DECLARE|PREPARE)\s|WITH HOLD|TEMP(ORARY)? TABLE"
    r"|pg_(try_)?advisory_lock(_shared)?\(|set_config\([^()]*,\s*false\s*\)",
)
ON_A_CONNECTION_OF_THEIR_OWN = {
    "services/compliance/retention/store.py",
    "shared/turn.py",
}


def test_settings_and_locks_are_those_of_a_transaction() -> None:
    """``SET LOCAL``, ``set_config(…, true)``, ``pg_advisory_xact_lock``; else `shared.database.connect`."""
    told = [
        f"{module.path}:{line}: {text.strip()[:80]}"
        for module in modules("services", "shared", "demo")
        for line, text in module.strings()
        if CHANGES_A_SESSION.search(text) and module.path not in ON_A_CONNECTION_OF_THEIR_OWN
    ]
    assert not told, "\n".join(told)


def test_rule_knows_what_it_looks_for() -> None:
    """What changes a session is found, what ends with its transaction is not."""
    for text in ("SET enable_sort = off", "SELECT pg_try_advisory_lock($1)", "SELECT set_config('a', $1, false)"):
        assert CHANGES_A_SESSION.search(text)
    for text in ("SET LOCAL enable_sort = off", "SELECT pg_advisory_xact_lock(1)", "set_config('a', $1, true)"):
        assert not CHANGES_A_SESSION.search(text)
