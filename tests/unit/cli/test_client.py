"""The command knows where Steward is, and makes bodies of its arguments."""

import json
from pathlib import Path

import click
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


def test_a_value_that_begins_as_a_list_or_an_object_is_json_and_so_is_all_after_a_colon() -> None:
    given = ('settings.presets=["storage","load"]', 'limits={"load": {"warning": 4}}', "enabled:=false")
    more = ("vantage:=null", "settings.port:=8443", "settings.query.PatientID=007", "settings.since:=2.5")
    assert parse_fields(given + more) == {
        "settings": {
            "presets": ["storage", "load"],
            "port": 8443,
            "query": {"PatientID": "007"},
            "since": 2.5,
        },
        "limits": {"load": {"warning": 4}},
        "enabled": False,
        "vantage": None,
    }


@pytest.mark.parametrize("wrong", ['presets=["storage"', "enabled:=no", "limits={warning: 4}", "port:="])
def test_json_that_is_none_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(click.BadParameter, match=r"must be JSON, for example .* or enabled:=false"):
        parse_fields((wrong,))


def test_a_field_within_a_value_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="which has a value already"):
        parse_fields(("settings=[1]", "settings.port=104"))


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
