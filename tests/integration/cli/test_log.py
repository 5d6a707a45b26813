"""`steward log verify` ends with 1 for a log that is wrong, and with nothing else."""

import sys
from pathlib import Path

import pytest

from services.__main__ import main
from tests.parts.process import refusing_port


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """What the command `steward` ends with."""
    monkeypatch.setattr(sys, "argv", ["steward", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_unknown_address_is_no_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no Steward is known, nothing was verified and nothing refuted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STEWARD_URL", raising=False)
    assert exit_code(monkeypatch, "log", "verify") == 2


def test_steward_that_does_not_answer_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where nobody listens."""
    monkeypatch.setenv("STEWARD_TOKEN", "any")
    with refusing_port() as port:
        monkeypatch.setenv("STEWARD_URL", f"http://127.0.0.1:{port}")
        assert exit_code(monkeypatch, "log", "verify") == 2


@pytest.mark.parametrize("dsn", ["postgresql://steward:x@127.0.0.1:{port}/steward", "no address at all"])
def test_database_that_does_not_answer_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dsn: str
) -> None:
    """Nor where there is no database: a sentence and 2, no traceback."""
    with refusing_port() as port:
        assert exit_code(monkeypatch, "log", "verify", "--database", dsn.format(port=port)) == 2
    assert "steward: the database can't be reached" in capsys.readouterr().err
