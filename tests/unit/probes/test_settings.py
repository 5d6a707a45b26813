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


def test_vantages_are_set_by_site() -> None:
    """An agent, or none at all; what is not named is asked from here."""
    assert load(ProbesSettings, NEEDED).defaults.vantages == {}
    set_so = load(ProbesSettings, NEEDED | {"STEWARD_PROBE_SITE_VANTAGES": "south=south-dmz  west=none"}).defaults
    assert set_so.vantages == {"south": "south-dmz", "west": None}
    assert [set_so.are_made_at(site) for site in ("north", "south", "west")] == [True, True, False]


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
        ("STEWARD_PROBE_SITE_VANTAGES", "south"),
        ("STEWARD_PROBE_SITE_VANTAGES", "south="),
        ("STEWARD_PROBE_SITE_VANTAGES", "South=south-dmz"),
        ("STEWARD_PROBE_SITE_VANTAGES", "south=South DMZ"),
        ("STEWARD_PROBE_SITE_VANTAGES", "south=south-dmz,west=none"),
        ("STEWARD_PROBE_SITE_VANTAGES", "south=south-dmz south=none"),
    ],
)
def test_wrong_setting_stops_the_start_with_its_name(variable: str, value: str) -> None:
    """The message names the variable and shows an example."""
    with pytest.raises(WrongSetting, match=rf"^{variable}: .*for example"):
        load(ProbesSettings, NEEDED | {variable: value})
