"""The settings of backup: what is wrong is named, and the password is never shown."""

from pathlib import Path

import pytest

from services.backup.settings import BackupSettings
from shared.errors import WrongSetting
from shared.settings import load

GOOD = {
    "STEWARD_DATABASE": "postgresql://steward_backup:secret@db:5432/steward",
    "STEWARD_OIDC_JWKS": "/run/jwks.json",
    "STEWARD_BACKUP_REPOSITORIES": "/var/lib/steward/repositories",
    "STEWARD_BACKUP_ROOTS": "/srv/archive:/srv/dumps",
    "STEWARD_BACKUP_WORK": "/var/lib/steward/backup",
    "STEWARD_BACKUP_PASSWORD": "correct horse",
}


def test_roots_are_separated_by_colons_and_the_password_is_hidden() -> None:
    """Printing the settings does not print the password."""
    settings = load(BackupSettings, GOOD)
    assert settings.backup_roots == (Path("/srv/archive"), Path("/srv/dumps"))
    assert settings.backup_password.get_secret_value() == "correct horse"
    assert "correct horse" not in repr(settings)


def test_password_may_come_from_a_file(tmp_path: Path) -> None:
    """STEWARD_BACKUP_PASSWORD_FILE names it."""
    (tmp_path / "password").write_text("from a file\n")
    environment = {name: value for name, value in GOOD.items() if name != "STEWARD_BACKUP_PASSWORD"}
    settings = load(BackupSettings, environment | {"STEWARD_BACKUP_PASSWORD_FILE": str(tmp_path / "password")})
    assert settings.backup_password.get_secret_value() == "from a file"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STEWARD_BACKUP_REPOSITORIES", "repositories"),
        ("STEWARD_BACKUP_ROOTS", "/srv/archive:dumps"),
        ("STEWARD_BACKUP_ROOTS", ":"),
        ("STEWARD_BACKUP_PASSWORD", ""),
        ("STEWARD_BACKUP_TIMEOUT", "0"),
        ("STEWARD_BACKUP_LEASE", "0.1"),
        ("STEWARD_BACKUP_PARALLEL", "0"),
    ],
)
def test_wrong_setting_is_named(name: str, value: str) -> None:
    """The process stops with the variable, the rule and an example."""
    with pytest.raises(WrongSetting, match=f"{name}: .*, for example "):
        load(BackupSettings, GOOD | {name: value})
