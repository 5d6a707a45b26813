"""The command knows where Steward is, and makes bodies of its arguments."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.__main__ import steward
from services.cli.client import parse_fields
from services.cli.rest import ADDRESSES, variable


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, and no address in the environment."""
    monkeypatch.chdir(tmp_path)
    for address in ADDRESSES:
        monkeypatch.delenv(variable(address), raising=False)
    return tmp_path


def test_dots_nest_and_lists_and_numbers_are_such() -> None:
    given = ("name=A=B", "software.vendor=V", "software.version=4.1.0", "roles=admin,clinician", "port=104")
    assert parse_fields(given) == {
        "name": "A=B",
        "software": {"vendor": "V", "version": "4.1.0"},
        "roles": ["admin", "clinician"],
        "port": 104,
    }


def test_a_number_that_is_none_is_left_for_the_service_to_refuse() -> None:
    assert parse_fields(("port=high",)) == {"port": "high"}


def test_where_nothing_runs_the_command_says_how_to_name_it() -> None:
    told = CliRunner().invoke(steward, ["get", "sites"])
    assert told.exit_code == 1
    assert "set STEWARD_URL, or call this in the folder where `steward up` runs" in told.output


def test_env_quotes_what_up_told_and_the_environment_wins(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / ".steward").mkdir()
    told = {"url": "http://127.0.0.1:1", "token": "a token", "console": "http://127.0.0.1:1/console/"}
    (elsewhere / ".steward" / "up.json").write_text(json.dumps(told))
    monkeypatch.setenv("STEWARD_URL", "https://steward.example.org")
    assert CliRunner().invoke(steward, ["env"]).output.splitlines() == [
        "export STEWARD_URL=https://steward.example.org",
        "export STEWARD_TOKEN='a token'",
    ]
