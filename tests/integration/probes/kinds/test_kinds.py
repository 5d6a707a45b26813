"""The kinds of probes over HTTP."""

from tests.integration.conftest import Run
from tests.integration.probes.fleet import probes


async def test_kinds_are_listed_with_their_settings(run: Run) -> None:
    """Each kind shows the JSON Schema of what it needs to know."""
    async with run(**probes()) as steward:
        answer = await steward.as_("ann", "viewer:north").get("/probes/v1/kinds")
        [kind] = answer.json()["items"]
        assert kind["name"] == "dicom-echo"
        assert set(kind["settings"]["properties"]) == {"host", "port", "ae_title"}
