"""The README's walk-through does what its text says, in one process and distributed."""

import base64
import re
from datetime import UTC, datetime
from itertools import pairwise

import icalendar
import pytest

from tests.e2e.walkthrough.conftest import Walked

pytestmark = pytest.mark.timeout(900)

JOINING = "A hospital joins"
PROBES = "Probes start by themselves"
CHECKS = "More than an echo"
COMPATIBILITY = "What new nodes take"
OUTAGE = "An archive stops"
WINDOW = "Maintenance that was announced"
BACKUP = "A backup"
PATCH = "A patch"
SUITE = "Good enough to go on?"
RETIREMENT = "An archive retires"
AUDIT = "The audit trail"
CHECKPOINTS = "/compliance/v1/log/checkpoints"

LIFE = ["in_service", "retiring", "migrated", "isolated", "sanitized", "disposed", "closed"]


def test_a_hospital_is_registered_by_curl_and_by_the_command(walked: Walked) -> None:
    """Its site, system, three nodes and two people stand in inventory as they were given."""
    assert '"id":"east"' in walked.walk.lines(JOINING)[0]
    nodes = {cells[1]: cells for cells in walked.walk.cells(JOINING) if cells[0].startswith("east-")}
    assert set(nodes) == {"EAST_PACS", "EAST_CT", "EAST_WS"}
    assert {cells[-1] for cells in nodes.values()} == {"in_service"}
    people = walked.items("/inventory/v1/people", site_id="east")
    assert {(person["email"], *person["roles"]) for person in people} == {
        ("ines.rocha@east.example", "clinician"),
        ("tom.hale@east.example", "admin"),
    }
    registered = [event["type"] for event in walked.events(site_id="east", actor="admin")][:6]
    assert registered == ["site.changed", *["asset.changed"] * 4, "person.changed"]


def test_a_probe_starts_on_each_node_because_inventory_told_of_it(walked: Walked) -> None:
    """Three targets, each with a first C-ECHO that succeeded."""
    cells = walked.walk.cells(PROBES)
    assert [row[-1] for row in cells[:3]] == ["true"] * 3
    assert [row[1:3] for row in cells[3:]] == [["dicom-echo", "ok"]] * 3


def test_an_archive_is_asked_for_more_than_an_echo(walked: Walked) -> None:
    """The image came back; the hospitals that were there have checks, all ok."""
    cells = walked.walk.cells(CHECKS)
    assert cells[0] == ["Images come back", "dicom-roundtrip"]
    assert cells[1] == ["dicom-roundtrip", "ok", "What was stored was found and came back unchanged."]
    assert {row[1] for row in cells[2:]} == {"dicom-roundtrip", "dicom-find", "tcp"}
    last = [result for target in walked.items("/probes/v1/targets") for result in target["last"]]
    south = [result for result in last if result["site_id"] == "south"]
    assert {result["kind"] for result in south} == {"dicom-echo", "dicom-roundtrip", "dicom-find", "tcp"}
    assert {result["outcome"] for result in south} == {"ok"}


def test_new_nodes_are_asked_what_they_take(walked: Walked) -> None:
    """A suite of each hospital has run by itself, and is done before any archive is stopped."""
    cells = walked.walk.cells(COMPATIBILITY)
    assert {row[0] for row in cells} == {"north", "south", "east"}
    assert {row[1] for row in cells} == {"passed"}


def test_an_archive_that_stops_is_told_by_mail_and_told_again_when_it_is_back(walked: Walked) -> None:
    """One alert, raised and resolved; the administrators of its site get one mail of each."""
    north = "[Northfield General Hospital]"
    lines = walked.walk.lines(OUTAGE)
    assert lines[0] == "NORTH_PACS is stopped"
    assert lines[1].startswith("critical  north-pacs")
    assert re.match(rf"admin@north\.example  {re.escape(north)} Critical: north-pacs", lines[2])
    assert lines[3] == "NORTH_PACS runs"
    assert re.match(rf"admin@north\.example  {re.escape(north)} Resolved: north-pacs", lines[5])
    alerts = walked.events(site_id="north", type="alert.raised") + walked.events(site_id="north", type="alert.resolved")
    assert [event["type"] for event in alerts] == ["alert.raised", "alert.resolved"]
    assert alerts[0]["data"]["alert_id"] == alerts[1]["data"]["alert_id"]
    mails = walked.mails(to="@north.example")
    assert [(mail["to"], mail["subject"].split(" ")[3]) for mail in mails] == [
        ("admin@north.example", "Critical:"),
        ("admin@north.example", "Resolved:"),
    ]


def test_a_window_is_announced_to_everybody_with_a_calendar_invitation(walked: Walked) -> None:
    """Both people get it, and their calendars can read when it is."""
    [scheduled] = walked.events(site_id="east", type="window.scheduled")
    announced = walked.mails(to="@east.example", subject="Short notice")
    assert {mail["to"] for mail in announced} == {"ines.rocha@east.example", "tom.hale@east.example"}
    for mail in announced:
        calendar = icalendar.Calendar.from_ical(mail["calendar"])
        [event] = calendar.events
        assert calendar["METHOD"] == "REQUEST"
        assert event["SUMMARY"] == "New disks"
        assert event.start.isoformat()[:16] == scheduled["data"]["starts_at"][:16]
        assert scheduled["data"]["window_id"] in str(event["UID"])
    assert "BEGIN:VCALENDAR" in walked.walk.lines(WINDOW)


def test_a_failure_within_a_window_is_seen_and_raises_nothing(walked: Walked) -> None:
    """Three failed results carry the window's id; there is no alert of that archive and no mail about one."""
    [scheduled] = walked.events(site_id="east", type="window.scheduled")
    within = [cells for cells in walked.walk.cells(WINDOW) if cells[-1] == scheduled["data"]["window_id"]]
    assert len(within) >= 3
    assert {cells[1] for cells in within} == {"failed"}
    assert walked.events(site_id="east", type="alert.raised") == []
    assert walked.mails(to="@east.example", subject="Critical") == []
    life = [event["type"] for event in walked.events(subject="east") if event["type"].startswith("window.")]
    assert life == ["window.scheduled", "window.started", "window.ended"]


def test_a_backup_is_told_with_snapshot_bytes_items_and_encryption(walked: Walked) -> None:
    """backup.completed names the snapshot of the run, and something was really copied."""
    [[state, snapshot], [told, added, items, encrypted]] = walked.walk.cells(BACKUP)
    assert (state, encrypted) == ("done", "true")
    assert told == snapshot
    assert re.fullmatch("[0-9a-f]{64}", snapshot)
    assert int(added) > 3 * 64 * 64 * 2
    assert int(items) >= 3
    [completed] = walked.events(site_id="north", type="backup.completed")
    assert completed["data"]["snapshot_id"] == snapshot


def test_a_patch_brings_its_version_into_the_inventory(walked: Walked) -> None:
    """patch.applied says from where to where, and the system's next asset.changed says the same because of it."""
    assert walked.walk.cells(PATCH) == [["4.1.0", "4.2.0"], ["East PACS", "4.2.0"]]
    [applied] = walked.events(site_id="east", type="patch.applied")
    changed = walked.events(subject=applied["subject"], type="asset.changed")[-1]
    assert changed["data"]["software"]["version"] == "4.2.0"
    assert changed["causationid"] == applied["id"]


def test_a_suite_says_of_each_function_that_it_works(walked: Walked) -> None:
    """Also the suites that ran by themselves when nodes were registered found all that is needed."""
    [run, *items] = walked.walk.cells(SUITE)
    assert [row for row in items if row[0] != "passed"] == []
    assert run == ["Staging", "passed"]
    assert {row[1] for row in items} >= {
        "connectivity",
        "conformance",
        "import",
        "export",
        "query_retrieve",
        "reporting",
    }
    completed = walked.events(type="suite.completed")
    assert {event["siteid"] for event in completed} == {"north", "south", "east"}
    assert {event["data"]["outcome"] for event in completed} == {"passed"}


def test_a_retired_asset_went_through_its_lifecycle_and_is_not_probed(walked: Walked) -> None:
    """Refused without evidence; each step in the trail with its reason; then only others are probed on."""
    [retired] = walked.events(site_id="east", type="asset.retired")
    lines = walked.walk.lines(RETIREMENT)
    assert [line for line in lines if line in LIFE] == LIFE[1:]
    refused = next(number for number, line in enumerate(lines) if "its gate is closed" in line)
    assert lines[:refused][-1] == "migrated"
    assert "access_revoked" in lines[refused + 1]
    assert ["east-pacs", "false", "the node is retired"] in [re.split(" {2,}", line) for line in lines]
    steps = walked.events(subject=retired["subject"], type="asset.transitioned")
    assert [(step["data"]["from_state"], step["data"]["to_state"]) for step in steps] == list(pairwise(LIFE))
    assert all(step["data"]["reason"] for step in steps)
    [scanner] = [node["id"] for node in walked.items("/inventory/v1/nodes") if node["ae_title"] == "EAST_CT"]
    # The line above was printed after probes had heard of it, so nothing that begins from now on may come.
    since = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    probed = ["get", "events", "type=probe.result", f"from={since}"]
    walked.steward(*probed, f"subject={scanner}", "--wait", "90", "--at-least", "2")
    assert walked.steward(*probed, f"subject={retired['subject']}", "--print", "event.time") == []


def test_an_auditor_of_one_site_sees_that_site_alone(walked: Walked) -> None:
    """Every event that Eve gets is of her site; another's does not exist, nor does its name leave the system."""
    lines = walked.walk.lines(AUDIT)
    assert "… and so it is with every other question" in lines
    seen = [cells for cells in walked.walk.cells(AUDIT) if len(cells) == 3 and cells[1].isdigit()]
    assert len(seen) == 5
    assert {cells[0] for cells in seen} == {"north"}


@pytest.mark.seed("55")
def test_the_trail_is_searched_by_site_type_subject_actor_and_time_and_verified(walked: Walked) -> None:
    """Each of the walk's deeds is found, and the log is recomputed from its first entry to its last."""
    cells = walked.walk.cells(AUDIT)
    assert [row[2:] for row in cells[:6]] == [list(pair) for pair in pairwise(LIFE)]
    assert [row[2] for row in cells[6:9]] == ["asset.changed", "patch.applied", "asset.changed"]
    assert {row[1] for row in cells[:9]} == {"admin"}
    times = [row[0] for row in cells[9:14]]
    assert len(times) == 5
    assert times == sorted(times, reverse=True)
    verified = re.fullmatch(
        r"verified: (\d+) entries of (\d+) sites, \d+ checkpoints, root ([0-9a-f]{64})", walked.walk.lines(AUDIT)[-3]
    )
    assert verified is not None
    assert int(verified[2]) == 4
    roots = {item["size"]: item["note"].splitlines()[2] for item in walked.items(CHECKPOINTS, limit="1000")}
    assert base64.b64decode(roots[int(verified[1])]).hex() == verified[3]


def test_evidence_of_a_site_is_taken_away_and_proves_itself(walked: Walked) -> None:
    """A file, the public key and the verifier are enough; nothing of other sites is in it."""
    proved = re.fullmatch(
        r"verified: (\d+) entries of north, recorded from \S+ to \S+ and complete, "
        r"in the log steward.example/log of \d+ entries",
        walked.walk.lines(AUDIT)[-1],
    )
    assert proved is not None
    assert int(proved[1]) > 20
    package = walked.folder / "north.zip"
    assert b"south" not in package.read_bytes()


def test_nothing_was_quarantined_and_no_mail_failed(walked: Walked) -> None:
    """All that happened was applied by everybody, and every notice was taken by the mail server."""
    for service in ("inventory", "maintenance", "probes", "backup", "compliance", "notifier"):
        assert walked.items(f"/{service}/v1/quarantine") == [], service
    assert walked.events(type="notice.failed") == []
