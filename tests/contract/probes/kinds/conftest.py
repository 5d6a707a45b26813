"""What tests of kinds may ask for."""

from pathlib import Path

import pytest

from tests.integration.probes.kinds.asked import Asked, with_secrets


@pytest.fixture
def ask(tmp_path: Path) -> Asked:
    """Runs kinds, with the secrets of these tests."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    return with_secrets(folder)
