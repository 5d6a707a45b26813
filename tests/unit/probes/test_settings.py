"""The settings of probes."""

import pytest

from services.probes.settings import ProbesSettings
from shared.errors import WrongSetting
from shared.settings import load

NEEDED = {"STEWARD_DATABASE": "postgresql://steward_probes:secret@db/steward", "STEWARD_OIDC_JWKS": "/keys.json"}


def test_timeout_follows_the_interval() -> None:
    """Unset, it is 10 s or 0.8 of a shorter interval."""
    assert load(ProbesSettings, NEEDED).timeout == 10
    assert load(ProbesSettings, NEEDED | {"STEWARD_PROBE_INTERVAL": "5"}).timeout == 4
    assert load(ProbesSettings, NEEDED | {"STEWARD_PROBE_TIMEOUT": "48"}).timeout == 48


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STEWARD_PROBE_TIMEOUT", "48.1"),
        ("STEWARD_PROBE_TIMEOUT", "0"),
        ("STEWARD_PROBE_INTERVAL", "0"),
        ("STEWARD_PROBE_AE_TITLE", "SEVENTEEN_LETTERS"),
        ("STEWARD_PROBE_AE_TITLE", "BACK\\SLASH"),
        ("STEWARD_PROBE_AE_TITLE", "   "),
        ("STEWARD_ALERT_FAILURES", "0"),
    ],
)
def test_wrong_setting_stops_the_start_with_its_name(variable: str, value: str) -> None:
    """The message names the variable and shows an example."""
    with pytest.raises(WrongSetting, match=rf"^{variable}: .*for example"):
        load(ProbesSettings, NEEDED | {variable: value})
