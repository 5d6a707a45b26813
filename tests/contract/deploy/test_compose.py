"""docker-compose.yml: what it names exists, and what it sets is what the services ask for."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.compliance.checkpoints.note import SignerKey
from services.registry import OWNING_DATA, SERVICES
from tests.contract.deploy.settings import assert_fits
from tests.source import ROOT

TOP_LEVEL = {"name", "services", "volumes", "secrets"}
OF_A_SERVICE = {
    *("build", "image", "command", "user", "restart", "depends_on", "environment", "secrets", "volumes", "tmpfs"),
    *("stop_grace_period", "ports", "healthcheck", "read_only", "cap_drop", "cap_add", "security_opt"),
}
CONDITIONS = {"service_healthy", "service_completed_successfully"}
GIVEN_FOLDERS = {"${ARCHIVE:-./deploy/compose/archive}", "${PROBE_SECRETS:-./deploy/compose/probe-secrets}"}

Described = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Described:
    """The file with its anchors resolved."""
    read: Described = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


@pytest.fixture(scope="module")
def ours(compose: Described) -> dict[str, Described]:
    """The containers that run a service of ours or the migration."""
    return {name: compose["services"][name] for name in (*SERVICES, "migrate")}


def test_only_keys_of_the_compose_specification_are_used(compose: Described) -> None:
    assert {key for key in compose if not key.startswith("x-")} == TOP_LEVEL
    for service in compose["services"].values():
        assert service.keys() <= OF_A_SERVICE


def test_each_service_is_built_from_the_one_dockerfile_for_itself(ours: dict[str, Described]) -> None:
    for name in SERVICES:
        assert ours[name]["build"] == {"context": ".", "args": {"SERVICE": name}}
        assert "command" not in ours[name]
    assert ours["migrate"]["command"] == ["steward", "migrate"]


def test_one_name_of_an_image_means_one_build(compose: Described) -> None:
    built: dict[str, Described] = {}
    for service in compose["services"].values():
        if "build" in service:
            assert built.setdefault(service["image"], service["build"]) == service["build"]


def test_each_environment_is_what_the_settings_ask_for(ours: dict[str, Described], secrets: Path) -> None:
    for name, service in ours.items():
        assert_fits(name, service["environment"], {"/run/secrets": secrets})


def test_each_secret_is_made_and_given_to_those_who_read_it(compose: Described, secrets: Path) -> None:
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"deploy/compose/secrets/{name}"}
        assert (secrets / name).read_text()
    for service in compose["services"].values():
        read = {Path(path).name for key, path in service.get("environment", {}).items() if key.endswith("_FILE")}
        assert read == set(service.get("secrets", []))


def test_services_log_in_with_the_passwords_that_the_migration_gives(secrets: Path) -> None:
    for role in (*OWNING_DATA, "bus"):
        password = (secrets / f"{role}_role_password").read_text()
        assert (
            secrets / f"{role}_database"
        ).read_text() == f"postgresql://steward_{role}:{password}@postgres:5432/steward"
    owner = (secrets / "owner_password").read_text()
    assert f"//steward_owner:{owner}@" in (secrets / "admin_database").read_text()


def test_the_log_is_signed_with_the_key_that_is_made(compose: Described, secrets: Path) -> None:
    """A key as `steward log keygen` would make it, and a place for the memory that is no database."""
    assert SignerKey.parse((secrets / "log_key").read_text()).verifier.name == "steward.example/log"
    assert not (secrets / "key.der").exists()
    assert "published:/var/lib/steward" in compose["services"]["compliance"]["volumes"]
    assert "published" not in str(compose["services"]["postgres"]["volumes"])


def test_made_secrets_differ_stay_and_lie_behind_a_private_folder(secrets: Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    subprocess.run([ROOT / "deploy/make-secrets", secrets], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before
    assert len(set(before.values())) == len(before)
    assert secrets.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("folder", ["deploy/compose/secrets", "deploy/k8s/overlays/local/secrets"])
def test_git_takes_no_made_secret(folder: str) -> None:
    subprocess.run(["git", "check-ignore", "--quiet", f"{folder}/owner_password"], cwd=ROOT, check=True)


def test_what_is_waited_for_can_come(compose: Described) -> None:
    services = compose["services"]
    for service in services.values():
        for name, how in service.get("depends_on", {}).items():
            assert how["condition"] in CONDITIONS
            if how["condition"] == "service_healthy":
                assert services[name]["healthcheck"]["test"][0] == "CMD"
            else:
                assert services[name]["restart"] == "on-failure"


def test_every_volume_is_declared_and_every_mounted_file_exists(compose: Described) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split("}:")[0] + "}" if volume.startswith("${") else volume.split(":")[0]
            assert source in compose["volumes"] or source in GIVEN_FOLDERS or (ROOT / source).is_file(), source


def test_nothing_listens_beyond_this_machine(compose: Described) -> None:
    for service in compose["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_no_container_runs_as_root(compose: Described) -> None:
    """Our own image names its user, which test_image holds; the others are told one here."""
    for service in compose["services"].values():
        assert "build" in service or service["user"] not in ("root", "0", "0:0")
        assert "no-new-privileges:true" in service["security_opt"]


def test_who_has_no_part_in_signing_does_not_get_the_key_that_signs(compose: Described) -> None:
    holders = [
        name
        for name, service in compose["services"].items()
        if any(volume.startswith("issuer:") for volume in service.get("volumes", []))
    ]
    assert holders == ["issuer"]


def test_stopped_backup_has_time_to_end_its_engine(compose: Described) -> None:
    """An engine that is asked to end gives its repository's lock back; compose's own ten seconds could cut that off."""
    assert compose["services"]["backup"]["stop_grace_period"] == "60s"
