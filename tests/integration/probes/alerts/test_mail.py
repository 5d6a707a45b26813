"""From a value beyond its limit to the mail of the one who must know: all services between, over the real bus."""

from datetime import timedelta

import pytest

from services.notifier.delivery import schedule
from shared import consumer, relay
from shared.bus import postgres
from shared.events.inventory import PersonChanged, SiteChanged
from tests.harness import Harness
from tests.integration.conftest import Run, Speak
from tests.integration.notifier.stage import notifier, subjects
from tests.integration.probes.fleet import DAY, SITE, listening_node, probes, tell_node
from tests.news import until
from tests.parts.smtp import SmtpServer

STATED = timedelta(seconds=1)
"""From the third failure to accepted mail; `benchmarks/alert_mail.py` holds the 99th percentile to it."""

NODES = 5


@pytest.mark.seed("22")
async def test_administrators_get_mail_within_the_stated_latency_when_a_limit_is_exceeded(
    run: Run, speak: Speak, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None that looks now and then has a part in it; the fastest of five shows what the way takes on a busy machine."""
    for module, name in (
        (relay, "FALLBACK_SECONDS"),
        (postgres, "FALLBACK_SECONDS"),
        (consumer, "POLL_SECONDS"),
        (schedule, "LONGEST_REST"),
    ):
        monkeypatch.setattr(module, name, float(DAY))
    async with (
        SmtpServer() as server,
        run(**probes(probe_interval=DAY), **notifier(server)) as steward,
        speak("inventory") as inventory,
    ):
        await inventory.say(SiteChanged(name="North", time_zone="Europe/Berlin", version=1), subject=SITE, site_id=SITE)
        ben = PersonChanged(name="Ben", email="ben@north.example", roles=["admin"], active=True, version=1)
        await inventory.say(ben, subject="ben", site_id=SITE)
        await until(steward.pools["notifier"], "SELECT EXISTS (SELECT FROM people) AND EXISTS (SELECT FROM sites)")
        with listening_node() as node:
            delays = [await alerted(steward, server, await tell_node(inventory, node), node) for _ in range(NODES)]
    assert subjects(list(server.messages)) == ["Warning"] * NODES
    assert min(delays) <= STATED


async def alerted(steward: Harness, server: SmtpServer, subject: str, node: object) -> timedelta:
    """Has a node checked by a limit that it exceeds, and returns from when to when its mail took."""
    await until(steward.pools["probes"], "SELECT true FROM assets WHERE id = $1", subject)
    await until(steward.pools["probes"], "SELECT count(*) > 0 FROM results WHERE subject = $1", subject)
    count = len(server.messages)
    draft = {
        "subject": subject,
        "kind": "dicom-echo",
        "name": "answers fast",
        "settings": {name: getattr(node, name) for name in ("host", "port", "ae_title")},
        "interval_seconds": 60,
        "retry_interval_seconds": 1,
        "limits": {"association": {"warning": 0.0001}},
    }
    answer = await steward.admin.post("/probes/v1/checks", json=draft)
    assert answer.status_code == 201, answer.text
    probe_id = f"dicom-echo:{answer.json()['id']}"
    await server.wait_for(lambda received: len(received) > count)
    alert = await steward.heard.until("alert.raised", lambda e: e.subject == subject)
    sent = await steward.heard.until("notice.sent", lambda e: e.data.about == alert.data.alert_id)
    cause = await steward.heard.until("probe.result", lambda e: e.id == alert.causation_id)
    assert cause.data.probe_id == probe_id
    seen_at = cause.data.started_at + timedelta(milliseconds=sum(cause.data.phases.values()))
    delay: timedelta = sent.data.accepted_at - seen_at
    return delay
