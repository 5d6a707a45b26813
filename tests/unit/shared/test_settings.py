"""Settings come from the environment; a wrong one is named with its rule and an example."""

from pathlib import Path

import pytest

from services.inventory.settings import InventorySettings
from shared.errors import WrongSetting
from shared.settings import BusSettings, load

GOOD = {
    "STEWARD_DATABASE": "postgresql://steward_inventory:secret@db:5432/steward",
    "STEWARD_OIDC_JWKS": "https://login.example.org/jwks.json",
}


def test_the_environment_is_read() -> None:
    """Names are STEWARD_ and the field; what is not ours is left alone, what is empty counts as absent."""
    environment = GOOD | {"STEWARD_HTTP_PORT": "9000", "HTTP_PORT": "1", "STEWARD_KAFKA": ""}
    settings = load(InventorySettings, environment)
    assert (settings.http_port, settings.kafka) == (9000, "localhost:9092")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("STEWARD_HTTP_PORT", "70000", "65535"),
        ("STEWARD_HTTP_PORT", "eighty", "integer"),
        ("STEWARD_BUS", "rabbit", "'kafka' or 'postgres'"),
        ("STEWARD_KAFKA", "kafka", "host:port"),
        ("STEWARD_KAFKA", "kafka:9092,other", "host:port"),
        ("STEWARD_DATABASE", "mysql://x", "PostgreSQL"),
        ("STEWARD_LOG_LEVEL", "loud", "debug"),
    ],
)
def test_a_wrong_setting_is_named_with_rule_and_example(name: str, value: str, rule: str) -> None:
    """What the person who set it needs, and not the value, which may be a secret."""
    with pytest.raises(WrongSetting) as refused:
        load(InventorySettings, GOOD | {name: value})
    assert str(refused.value).startswith(f"{name}: ")
    assert rule in str(refused.value)
    assert "for example" in str(refused.value)


def test_all_that_is_missing_is_told_at_once() -> None:
    """Nobody has to start a service five times to learn five names."""
    with pytest.raises(WrongSetting) as refused:
        load(InventorySettings, {})
    assert {line.split(":")[0] for line in str(refused.value).splitlines()} == set(GOOD)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    """STEWARD_X_FILE names a file that holds STEWARD_X, as container secrets do."""
    file = tmp_path / "database"
    file.write_text(GOOD["STEWARD_DATABASE"] + "\n")
    environment = {"STEWARD_DATABASE_FILE": str(file), "STEWARD_OIDC_JWKS": "x"}
    assert load(InventorySettings, environment).database == GOOD["STEWARD_DATABASE"]


def test_a_secret_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """The message names the variable and the path."""
    with pytest.raises(WrongSetting, match=r"STEWARD_DATABASE_FILE: .*missing"):
        load(InventorySettings, {"STEWARD_DATABASE_FILE": str(tmp_path / "missing"), "STEWARD_OIDC_JWKS": "x"})


def test_the_postgres_bus_needs_its_database() -> None:
    """Choosing the embedded bus without saying where it lies stops the start."""
    with pytest.raises(WrongSetting, match="STEWARD_BUS_DATABASE"):
        load(BusSettings, {"STEWARD_BUS": "postgres"}).open_bus()
