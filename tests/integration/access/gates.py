"""What the lifecycle of each hospital's archive has: evidence and a waiver."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx


async def write_evidence(root: httpx.AsyncClient, site: str, system_id: str) -> dict[str, str]:
    """The ids of both, and the version of the policy."""
    asset = f"/inventory/v1/assets/{system_id}"
    stated = {"kind": "replacement_plan", "statement": f"Secret statement {site}"}
    expires_at = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    waived = {"kind": "budget", "reason": f"Secret waiver {site}", "expires_at": expires_at}
    evidence_id = await _made(root, f"{asset}/evidence", stated)
    waiver_id = await _made(root, f"{asset}/waivers", waived)
    return {"evidence_id": evidence_id, "waiver_id": waiver_id, "policy_version": "1"}


async def _made(root: httpx.AsyncClient, url: str, body: dict[str, Any]) -> str:
    answer = await root.post(url, json=body)
    assert answer.status_code == 201, f"{url}: {answer.text}"
    made: str = answer.json()["id"]
    return made
