"""The judge of environments itself."""

import pytest

from shared.errors import WrongSetting
from tests.contract.deploy.settings import assert_fits

COMPLETE = {"STEWARD_OIDC_JWKS": "keys.json", "STEWARD_DATABASE": "postgresql://steward_probes:secret@db/steward"}


def test_a_complete_environment_fits() -> None:
    assert_fits("probes", COMPLETE, {})


def test_a_variable_that_no_setting_reads_does_not_fit() -> None:
    with pytest.raises(AssertionError, match="STEWARD_SMTP_HOST"):
        assert_fits("probes", COMPLETE | {"STEWARD_SMTP_HOST": "mail"}, {})


@pytest.mark.parametrize("missing", COMPLETE)
def test_a_missing_required_variable_does_not_fit(missing: str) -> None:
    with pytest.raises(WrongSetting, match=missing):
        assert_fits("probes", {name: value for name, value in COMPLETE.items() if name != missing}, {})


def test_a_value_of_the_wrong_form_does_not_fit() -> None:
    with pytest.raises(WrongSetting, match="STEWARD_KAFKA"):
        assert_fits("probes", COMPLETE | {"STEWARD_KAFKA": "kafka"}, {})


def test_a_service_may_not_log_in_as_another() -> None:
    with pytest.raises(AssertionError, match="somebody else"):
        assert_fits(
            "backup",
            COMPLETE
            | dict.fromkeys(("STEWARD_BACKUP_REPOSITORIES", "STEWARD_BACKUP_WORK"), "/a")
            | {"STEWARD_BACKUP_ROOTS": "/b", "STEWARD_BACKUP_PASSWORD": "secret"},
            {},
        )
