"""How a command starts."""

import subprocess
import sys

from tests.source import ROOT


def test_a_command_that_makes_no_request_starts_without_httpx() -> None:
    """It takes as long to load as all the rest that `steward log verify` needs before its first entry."""
    code = "import sys, services.__main__; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
