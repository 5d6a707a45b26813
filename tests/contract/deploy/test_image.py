"""The Dockerfile: what it copies exists, what it runs is sound, and the images of all forms of deployment agree."""

import fnmatch
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import yaml
from fastapi import FastAPI
from starlette.types import ASGIApp

from services.compliance.log.hashing.compiled import LIBRARY, Loops
from services.compliance.log.tree import leaf_hash
from services.console.__main__ import build_app
from services.console.settings import ConsoleSettings
from services.registry import OWNING_DATA, SERVICES
from shared.http.app import Health, add_operations, mount_services
from shared.settings import HttpSettings, load
from tests.contract.deploy.cluster import Cluster
from tests.contract.deploy.image import image_environment, instructions
from tests.source import ROOT

INSTRUCTIONS = {
    *("ARG", "FROM", "COPY", "WORKDIR", "RUN", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "CMD"),
}


def texts(name: str) -> list[str]:
    """The arguments of every instruction of a name."""
    return [step.text for step in instructions() if step.name == name]


def test_every_instruction_is_known_and_stages_are_named_before_they_are_used() -> None:
    stages: list[str] = []
    for step in instructions():
        assert step.name in INSTRUCTIONS
        if step.name == "FROM":
            stages.append(step.stage)
        if step.name == "COPY" and (source := re.search(r"--from=(\S+)", step.text)):
            assert source[1] in stages[:-1]
    assert stages == ["packages", "code", "loops", "image"]


def test_what_is_copied_exists_and_is_sent_to_the_builder() -> None:
    sent = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")]
    for step in instructions():
        if step.name == "COPY" and "--from" not in step.text:
            source = step.words[0]
            assert (ROOT / source).exists()
            assert any(fnmatch.fnmatch(source, pattern) or source.startswith(f"{pattern}/") for pattern in sent)


def test_every_command_is_valid_shell() -> None:
    for text in (*texts("RUN"), *(text for text in texts("CMD") if not text.startswith("["))):
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)


def test_packages_come_with_hashes() -> None:
    (install,) = [text for text in texts("RUN") if " install " in text and "pip" in text]
    assert "--require-hashes -r /run.lock" in install
    locked = (ROOT / "requirements/run.lock").read_text()
    for pinned in re.split(r"\n(?=\S)", locked.strip()):
        assert pinned.startswith("#") or re.match(r"\S+==\S+.*--hash=sha256:", pinned, re.DOTALL), pinned


def test_the_image_runs_as_an_unprivileged_user_from_the_first_process_on() -> None:
    assert instructions()[-1].name == "CMD"
    (user,) = texts("USER")
    assert int(user.split(":")[0]) > 0


def test_a_build_for_no_service_fails() -> None:
    (check,) = [text for text in texts("RUN") if text.startswith("test -f")]
    here = check.replace("/opt/steward", str(ROOT))
    results = {
        name: subprocess.run(["sh", "-c", here], env={"SERVICE": name}, capture_output=True, check=False)
        for name in (*SERVICES, "", "nothing")
    }
    assert [name for name, done in results.items() if done.returncode] == ["", "nothing"]


def test_the_command_in_the_image_starts_steward_from_any_folder() -> None:
    (script,) = re.findall(r"printf '(#!/bin/sh.*?)' \| install", "\n".join(texts("RUN")))
    command = script.encode().decode("unicode_escape").replace("/opt/steward/python/bin/python", sys.executable)
    done = subprocess.run(
        ["sh", "-c", command, "steward", "--help"],
        cwd="/",
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "migrate" in done.stdout


def test_only_backup_gets_restic() -> None:
    (install,) = [
        step.text for step in instructions() if (step.stage, step.name) == ("image", "RUN") and "apt-get" in step.text
    ]
    assert install.startswith('if [ "$SERVICE" = backup ]; then')
    assert " restic " in install


def test_the_loops_that_are_compiled_for_the_image_are_found_and_right(tmp_path: Path) -> None:
    """The image's own command, run here, makes a library at the place where Steward looks for it."""
    (source,) = [step.words[0] for step in instructions() if (step.stage, step.name) == ("loops", "COPY")]
    (compiling,) = [text for text in texts("RUN") if text.startswith("gcc")]
    command = compiling.replace(" /loops.c", f" {ROOT / source}").replace("/loops.so", f"{tmp_path}/loops.so")
    subprocess.run(command, shell=True, check=True)  # noqa: S602 -- our own Dockerfile
    assert Loops(tmp_path / "loops.so").leaf_hashes([b"PACS"]) == leaf_hash(b"PACS")
    (place,) = [step.words[-1] for step in instructions() if "--from=loops" in step.text]
    assert place == str(LIBRARY).replace(str(ROOT), "/opt/steward")


async def test_health_is_served_where_orchestrators_ask_for_it() -> None:
    async def ready() -> Health:
        return Health()

    apps: dict[str, ASGIApp] = {"console": build_app(ConsoleSettings(oidc_jwks="none"))}
    for service in OWNING_DATA:
        app = FastAPI()
        add_operations(app, ready)
        apps[service] = app
    transport = httpx.ASGITransport(mount_services(apps))
    async with httpx.AsyncClient(transport=transport, base_url="http://steward") as client:
        for service in SERVICES:
            for path in ("health/live", "health/ready", "metrics"):
                assert (await client.get(f"/{service}/{path}")).status_code == 200


def test_the_port_is_the_same_everywhere(cluster: Cluster) -> None:
    port = load(HttpSettings, {**image_environment(), "STEWARD_OIDC_JWKS": "none"}).http_port
    assert texts("EXPOSE") == [str(port)]
    for workload in cluster.of_steward():
        if workload.runs != "migrate":
            assert workload.container["ports"] == [{"name": "http", "containerPort": port}]
    assert f"{{re.service.1}}:{port}" in (ROOT / "deploy/k8s/base/Caddyfile").read_text()


def test_images_carry_the_version_of_the_project(cluster: Cluster) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    images = [w.container["image"] for w in cluster.of_steward()] + [
        s["image"] for s in compose.values() if "build" in s
    ]
    assert {image.rpartition(":")[2] for image in images} == {version}


def test_the_gateway_knows_every_service() -> None:
    (names,) = re.findall(r"path_regexp service \^/\(([a-z|]+)\)", (ROOT / "deploy/k8s/base/Caddyfile").read_text())
    assert sorted(names.split("|")) == sorted(SERVICES)
