"""What a person makes before Steward is deployed for local use, made by the same commands; and kustomize."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.deploy.cluster import Cluster
from tests.contract.deploy.kustomize import build
from tests.source import ROOT


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of secrets."""
    folder = tmp_path_factory.mktemp("deploy") / "secrets"
    subprocess.run([ROOT / "deploy/make-secrets", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def manifests(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Path:
    """A copy of deploy/k8s with the files that the local overlay needs and git must not hold."""
    copy = tmp_path_factory.mktemp("manifests") / "k8s"
    shutil.copytree(ROOT / "deploy/k8s", copy, ignore=shutil.ignore_patterns("secrets", "keys"))
    local = copy / "overlays/local"
    shutil.copytree(secrets, local / "secrets")
    token = [sys.executable, "-m", "services", "token", "admin", "group-admin:*", "--keys", str(local / "keys")]
    subprocess.run(token, cwd=ROOT, check=True, capture_output=True)
    return copy


@pytest.fixture(scope="session")
def base(manifests: Path) -> Cluster:
    """The base as kustomize renders it."""
    return Cluster(build(manifests / "base"))


@pytest.fixture(scope="session")
def local(manifests: Path) -> Cluster:
    """The overlay for one small cluster as kustomize renders it."""
    return Cluster(build(manifests / "overlays/local"))


@pytest.fixture(scope="session")
def hospital(manifests: Path) -> Cluster:
    """The overlay that the guide for hospitals shows as kustomize renders it."""
    guide = (ROOT / "docs/guides/operate.md").read_text()
    _, _, rest = guide.partition("```yaml\n# deploy/k8s/overlays/hospital/kustomization.yaml\n")
    overlay = manifests / "overlays/hospital"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(rest.partition("```")[0])
    (overlay / "ca.pem").write_text("a certificate")
    return Cluster(build(overlay))


@pytest.fixture(params=["base", "local", "hospital"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each rendering in turn."""
    rendered: Cluster = request.getfixturevalue(request.param)
    return rendered
