"""What is set aside never stops what follows it."""

import json

from services.compliance.__main__ import build
from services.compliance.settings import ComplianceSettings
from shared.bus.postgres import PostgresBus
from shared.events.probes import ProbeResult
from tests.integration.compliance.publishing import Sender, sample_of, until_size
from tests.integration.conftest import Run


async def test_message_whose_fault_quotes_what_no_database_holds_is_set_aside(run: Run, bus: PostgresBus) -> None:
    """A NUL in a name that the event chose itself: the reason names the place, and the next event is applied."""
    sender = Sender(bus, "probes")
    spoilt = json.loads(sender.event(sample_of(ProbeResult)))
    spoilt["data"]["phases"] = {"\0": "soon"}
    async with run(compliance=(build, ComplianceSettings, {})) as steward:
        await sender.send("probe.result", [json.dumps(spoilt).encode(), sender.event(sample_of(ProbeResult))])
        await until_size(steward, 1)
        [reason] = [row["reason"] for row in await steward.pools["compliance"].fetch("SELECT reason FROM quarantine")]
    assert reason.startswith("data: phases.\\0: ")
