"""`steward probe-agent status` tells how an agent stands, from its folder alone."""

import json
from pathlib import Path

from click.testing import CliRunner

from services.cli.probe_agent import probe_agent
from services.probes.vantage.quarantine import Quarantine
from services.probes.vantage.spool import FILE, Kept, Spool


def test_what_waits_was_lost_and_was_put_aside_is_told(tmp_path: Path) -> None:
    """While the agent is at its spool, and without touching anything."""
    spool = Spool(tmp_path, 1000)
    spool.add([Kept(b'{"probe_id": "tcp:1", "started_at": "2026-03-01T00:00:00Z"}'), Kept(b"{}")])
    spool.count_lost(3)
    kept_as = Quarantine(tmp_path).put(7, b'{"probe_id": "tcp:7"}', "answered 500")
    before = (tmp_path / FILE).read_bytes()
    done = CliRunner().invoke(probe_agent, ["status"], env={"STEWARD_AGENT_SPOOL": str(tmp_path)})
    told = json.loads(done.output)
    assert (told["waiting"], told["oldest"], told["lost"]) == (2, "2026-03-01T00:00:00Z", 3)
    [aside] = told["quarantined"]
    assert (aside["file"], aside["reason"], aside["result"]) == (str(kept_as), "answered 500", {"probe_id": "tcp:7"})
    assert (tmp_path / FILE).read_bytes() == before
    spool.close()


def test_a_folder_without_a_spool_is_told(tmp_path: Path) -> None:
    """Nothing is made there."""
    done = CliRunner().invoke(probe_agent, ["status", "--spool", str(tmp_path)])
    assert (done.exit_code, "holds no spool" in done.output) == (1, True)
    assert list(tmp_path.iterdir()) == []
