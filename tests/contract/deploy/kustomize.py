"""The one place that runs kustomize."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.parts.process import PartMissing
from tests.source import ROOT

PROGRAM = ROOT / ".parts/bin/kustomize"


def build(folder: Path) -> Sequence[dict[str, Any]]:
    """What the kustomization in ``folder`` renders to. Raises PartMissing, or AssertionError with kustomize's words."""
    if not PROGRAM.exists():
        raise PartMissing("kustomize is not here: make .parts/bin/kustomize")
    done = subprocess.run([PROGRAM, "build", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))
