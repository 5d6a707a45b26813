"""Whose secrets a check may name."""

from typing import Any

import pytest
from pydantic import BaseModel

from services.probes.kinds import KINDS
from services.probes.kinds.command import Command
from services.probes.kinds.dicom_find import DicomFind
from services.probes.kinds.domain import Kind, Observation
from services.probes.kinds.http import Http
from services.probes.kinds.secret_names import Secret, check_secrets, foreign_secret, secrets_in, secrets_in_part
from services.probes.kinds.snmp import Snmp
from shared.errors import Malformed

NODE = {"host": "pacs.north.example.org", "port": 104, "ae_title": "NORTH_PACS"}
URL = "https://collector.south.example.org/"


def http(**more: Any) -> BaseModel:
    """Settings of a check of a page."""
    return Http.settings.model_validate({"url": URL, **more})


def test_secrets_are_found_by_their_type_wherever_they_are() -> None:
    """At the top, in TLS and user, and among a program's variables; nothing else that looks like one is."""
    found = DicomFind.settings.model_validate(
        NODE | {"tls": {"ca": "north.ca", "key": "north.key"}, "user": {"name": "north.user", "passcode": "north.pass"}}
    )
    assert dict(secrets_in(found)) == {
        "settings.tls.ca": "north.ca",
        "settings.tls.key": "north.key",
        "settings.user.passcode": "north.pass",
    }
    program = Command.settings.model_validate({"program": "check_x", "secrets": {"WORD": "north.word"}})
    assert dict(secrets_in(program)) == {"settings.secrets.WORD": "north.word"}
    assert dict(secrets_in(http(username="north.me", password="north.ris"))) == {"settings.password": "north.ris"}


def test_no_kind_hides_a_secret() -> None:
    """Whatever the fields of kinds are called, those with the pattern of a secret are found when they are set."""
    for kind in KINDS:
        for name, about in kind.settings.model_json_schema()["properties"].items():
            patterns = {one.get("pattern") for one in (about, *about.get("anyOf", ()))}
            if r"^[a-z0-9][a-z0-9._-]{0,127}$" in patterns:
                assert dict(secrets_in_part(kind.settings, {name: "north.x"}, "s")) == {f"s.{name}": "north.x"}


@pytest.mark.parametrize("name", ["north-ris", "north.ris", "south", "south-ris.x", "southern.ris"])
def test_secret_of_another_site_is_refused_with_field_rule_and_example(name: str) -> None:
    """Also one of no site at all, and one of a site whose name begins alike; for a group-admin too."""
    for may_use_group in (True, False):
        with pytest.raises(Malformed, match=r"^settings\.password: must .* begin with south\., for example south\."):
            check_secrets(secrets_in(http(password=name)), "south", may_use_group)
    assert foreign_secret(http(password=name), "south") == name


def test_secret_of_the_group_takes_a_group_admin() -> None:
    """It can be read for every site, so who may send it somewhere is the question."""
    with pytest.raises(Malformed, match=r"^settings\.password: is a secret of the group"):
        check_secrets(secrets_in(http(password="group.ris")), "south", may_use_group=False)
    check_secrets(secrets_in(http(password="group.ris", trust="south.ca.pem")), "south", may_use_group=True)
    assert foreign_secret(http(password="group.ris"), "south") is None


def test_secrets_of_incomplete_settings_are_found_too() -> None:
    """What a request for a run adds may still be missing; what is not valid is somebody else's to refuse."""
    part = {"password": "north.ris", "token": "No secret!", "tls": 7}
    assert dict(secrets_in_part(Http.settings, part, "items.0.settings")) == {"items.0.settings.password": "north.ris"}
    part = {"auth_key": "north.a", "host": ""}
    assert dict(secrets_in_part(Snmp.settings, part, "settings")) == {"settings.auth_key": "north.a"}


class Needs(BaseModel):
    """A secret that must be given."""

    key: Secret


class Asks(Kind[Needs]):
    """A kind that tells what it was run with."""

    name = "asks"
    summary = "Asks."
    settings = Needs

    async def run(self, settings: Needs, timeout: float) -> Observation:
        """It was run."""
        return Observation("ok", None, settings.key)


async def test_run_reads_no_secret_of_another_site() -> None:
    """However the check came to name it: it was made before the rule, or its asset has moved."""
    assert (await Asks().run_for("south", {"key": "south.x"}, 1)).outcome == "ok"
    assert (await Asks().run_for("south", {"key": "group.x"}, 1)).outcome == "ok"
    refused = await Asks().run_for("south", {"key": "north.x"}, 1)
    assert (refused.outcome, refused.failure) == ("probe_error", "secret")
    assert dict(secrets_in_part(Needs, {"key": "south.x"}, "settings")) == {"settings.key": "south.x"}
