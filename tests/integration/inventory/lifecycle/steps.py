"""Short ways to ask for moves, gates and evidence, and what other services say."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx

from shared.events.backup import MediaSanitized
from shared.events.maintenance import SystemRef, Window, WindowEnded, WindowStarted
from shared.events.probes import SuiteCompleted
from shared.transactions import new_id
from tests.harness import Harness
from tests.integration.inventory.requests import ASSETS

DIGEST = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
STATEMENT = "It is so; I have seen it."


async def ask_move(
    steward: Harness, asset: dict[str, Any], to: str, who: httpx.AsyncClient | None = None
) -> httpx.Response:
    """The answer to a move of the asset as it stands now."""
    url = f"{ASSETS}/{asset['id']}"
    etag = (await steward.admin.get(url)).headers["etag"]
    body = {"to": to, "reason": f"time for {to}"}
    return await (who or steward.admin).post(f"{url}/transitions", json=body, headers={"If-Match": etag})


async def gate(steward: Harness, asset: dict[str, Any], to: str) -> dict[str, Any]:
    """How a next move of the asset would be judged now."""
    answer = await steward.admin.get(f"{ASSETS}/{asset['id']}/gates")
    assert answer.status_code == 200, answer.text
    judged: dict[str, Any] = next(one for one in answer.json()["next"] if one["to_state"] == to)
    return judged


async def why(steward: Harness, asset: dict[str, Any], to: str, kind: str) -> str | None:
    """Why a kind of evidence is missing before a move; None where it is there."""
    lacking = {one["kind"]: one["why"] for one in (await gate(steward, asset, to))["missing"]}
    return lacking.get(kind)


async def give_evidence(steward: Harness, asset: dict[str, Any], **body: Any) -> httpx.Response:
    """The answer to evidence that the administrator names."""
    return await steward.admin.post(f"{ASSETS}/{asset['id']}/evidence", json=body)


async def revoke(steward: Harness, evidence_id: str, version: int = 1) -> httpx.Response:
    """The answer to a revocation."""
    headers = {"If-Match": f'"{version}"'}
    return await steward.admin.post(
        f"/inventory/v1/evidence/{evidence_id}/revocation", json={"reason": "It was another one"}, headers=headers
    )


async def until_evidence(steward: Harness, asset: dict[str, Any], kind: str, state: str = "recorded") -> Any:
    """The event that tells that a kind of evidence of the asset came, or was taken back."""
    return await steward.heard.until(
        "evidence.changed",
        lambda event: event.subject == asset["id"] and (event.data.kind, event.data.state) == (kind, state),
    )


def suite(suite_id: str, outcome: Literal["passed", "failed"] = "passed", **interfaces: Any) -> SuiteCompleted:
    """A suite that has ended, with the verdict of each interface."""
    now = datetime.now(UTC)
    return SuiteCompleted(
        run_id=new_id(),
        suite_id=suite_id,
        suite_name=suite_id,
        about=None,
        outcome=outcome,
        detail="",
        started_at=now,
        finished_at=now,
        counts={outcome: 1},
        interfaces=interfaces or {"archive": outcome},
        functions={"import": outcome},
        items=[],
        items_omitted=0,
        report=DIGEST,
    )


def window(asset: dict[str, Any], hours: float = 1) -> dict[str, Any]:
    """What the events of a window around now, with the asset in it, tell."""
    now = datetime.now(UTC)
    told = Window.model_construct(
        window_id=new_id(),
        revision=0,
        title="Archive upgrade",
        reason="Vendor fix",
        impact="OUTAGE",
        starts_at=now,
        ends_at=now + timedelta(hours=hours),
        systems=[SystemRef(id=asset["id"], name=asset["name"])],
        contact="PACS on call",
    )
    return dict(told)


def started(told: dict[str, Any]) -> WindowStarted:
    """The window is open."""
    return WindowStarted(**told)


def ended(told: dict[str, Any]) -> WindowEnded:
    """The window is over."""
    return WindowEnded(**told)


def sanitized(system: dict[str, Any], *, validated: bool = True, by: str = "bruno") -> MediaSanitized:
    """The certificate of a medium that held a system's data."""
    return MediaSanitized(
        certificate_id=new_id(),
        system_id=system["id"],
        manufacturer="Seaquest",
        model="SQ-16",
        serial_number="SQ-00001",
        media_type="hard drive",
        method="purge",
        technique="cryptographic erase",
        verified_by="alice",
        validated_by=by if validated else None,
        validated=validated,
        sanitized_at=datetime.now(UTC),
        certificate=DIGEST,
    )
