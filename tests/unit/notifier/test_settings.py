"""Wrong mail settings stop notifier at start, with the rule and an example."""

import pytest

from services.notifier.settings import NotifierSettings
from shared.errors import WrongSetting
from shared.settings import load

RIGHT = {
    "STEWARD_DATABASE": "postgresql://steward_notifier:x@db/steward",
    "STEWARD_OIDC_JWKS": "/keys.json",
    "STEWARD_SMTP_HOST": "mail.hospital.example",
    "STEWARD_MAIL_SENDER": "steward@hospital.example",
}


def test_defaults_protect_the_connection_and_retry_as_promised() -> None:
    settings = load(NotifierSettings, RIGHT)
    assert (settings.smtp_port, settings.smtp_tls) == (587, "starttls")
    assert settings.mail_retry_seconds == (60, 300, 900, 3600)
    assert settings.lease().total_seconds() == 60


def test_pauses_are_read_from_a_list() -> None:
    assert load(NotifierSettings, RIGHT | {"STEWARD_MAIL_RETRY_SECONDS": "1, 2.5"}).mail_retry_seconds == (1, 2.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STEWARD_SMTP_HOST", ""),
        ("STEWARD_SMTP_PORT", "0"),
        ("STEWARD_SMTP_TLS", "ssl"),
        ("STEWARD_SMTP_TIMEOUT", "0"),
        ("STEWARD_MAIL_SENDER", "steward"),
        ("STEWARD_MAIL_SENDER", "stewärd@hospital.example"),
        ("STEWARD_MAIL_RETRY_SECONDS", "60,soon"),
        ("STEWARD_MAIL_RETRY_SECONDS", "60,0"),
        ("STEWARD_MAIL_RETRY_SECONDS", "nan"),
    ],
)
def test_wrong_setting_is_refused_with_name_and_example(name: str, value: str) -> None:
    with pytest.raises(WrongSetting, match=f"{name}: .*, for example "):
        load(NotifierSettings, RIGHT | {name: value})


def test_password_never_travels_in_the_clear() -> None:
    login = {"STEWARD_SMTP_TLS": "none", "STEWARD_SMTP_USERNAME": "steward", "STEWARD_SMTP_PASSWORD": "secret"}
    with pytest.raises(WrongSetting, match=r"STEWARD_SMTP_USERNAME: .*in the clear"):
        load(NotifierSettings, RIGHT | login)
