"""The kinds of probes over HTTP."""

from services.probes.kinds import KINDS
from services.probes.suites.handlers import SUITE_KINDS
from tests.integration.conftest import Run
from tests.integration.probes.fleet import probes


async def test_kinds_are_listed_with_their_settings(run: Run) -> None:
    """Each kind shows the JSON Schema of what it needs to know, its numbers with their limits, and its failures."""
    async with run(**probes()) as steward:
        answer = await steward.as_("ann", "viewer:north").get("/probes/v1/kinds")
    kinds = {kind["name"]: kind for kind in answer.json()["items"]}
    assert {name for name, kind in kinds.items() if not kind["is_of_suites"]} == {kind.name for kind in KINDS}
    assert set(kinds) == set(SUITE_KINDS)
    assert "modalities" in kinds["dicom-conformance"]["settings"]["properties"]
    assert {"host", "port", "ae_title"} <= set(kinds["dicom-echo"]["settings"]["properties"])
    assert kinds["tls"]["interval_seconds"] == 6 * 3600
    assert ("association" in kinds["dicom-echo"]["phases"], kinds["dicom-echo"]["has_own_measures"]) == (True, False)
    assert kinds["snmp"]["has_own_measures"]
    assert kinds["tls"]["measures"]["expires_in_days"] == {
        "unit": "days",
        "worse": "lower",
        "summary": "until the peer's certificate expires",
        "warning": 30,
        "critical": 7,
        "baseline": False,
    }
    assert "tls_expired" in kinds["tls"]["failures"]
