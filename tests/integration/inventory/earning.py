"""Earns the moves of an asset: gives over the API whatever its gates say is missing, as people would.

A document is uploaded and named, a statement made, a signature given by as many people as it takes; what only other
services could show is waived by two people.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from services.inventory.policies.domain import DocumentSource, StatementSource
from services.inventory.policies.handlers import BUILT_IN
from tests.harness import Harness
from tests.news import until

ASSETS = "/inventory/v1/assets"
DOCUMENTS = "/inventory/v1/documents"
ALL_TOLD = """SELECT (SELECT count(*) FROM told_events)
                     = (SELECT count(*) FROM transitions) + (SELECT count(*) FROM custody)
                     + (SELECT count(*) FROM disposals) + (SELECT coalesce(sum(version), 0) FROM evidence)
                     + (SELECT coalesce(sum(version), 0) FROM waivers)"""
SIGNERS = ("anna", "bruno", "clara")
KINDS = BUILT_IN.policy.evidence


async def missing(steward: Harness, asset: dict[str, Any], state: str) -> list[str]:
    """The kinds of evidence that an asset lacks for a move."""
    answer = await steward.admin.get(f"{ASSETS}/{asset['id']}/gates")
    assert answer.status_code == 200, answer.text
    judged = next((one for one in answer.json()["next"] if one["to_state"] == state), None)
    return [one["kind"] for one in judged["missing"]] if judged else []


async def earn(steward: Harness, asset: dict[str, Any], state: str) -> None:
    """Gives an asset all that it lacks for a move, apart from what its parts owe."""
    for kind_id in await missing(steward, asset, state):
        await give(steward, asset, kind_id)


async def give(steward: Harness, asset: dict[str, Any], kind_id: str) -> None:
    """Gives an asset one kind of evidence, by the first of its sources that a person has in hand."""
    if kind_id in BY_HAND:
        await BY_HAND[kind_id](steward, asset)
        return
    kind = KINDS[kind_id]
    for source in kind.sources:
        if isinstance(source, DocumentSource):
            await name_document(steward, asset, kind_id, source.kinds[0])
            return
        if isinstance(source, StatementSource):
            capacities: list[str | None] = [*source.capacities] or [None]
            for signer, capacity in zip(SIGNERS, capacities, strict=False):
                await state_it(steward, asset, kind_id, source.role, signer, capacity)
            return
    if kind.waivable:
        await waive(steward, asset, kind_id)


async def seal(steward: Harness, asset: dict[str, Any]) -> dict[str, Any]:
    """The sealed dossier of an asset, once the audit trail has told of all its steps."""
    await until(steward.pools["inventory"], ALL_TOLD)
    return done(await steward.admin.post(f"{ASSETS}/{asset['id']}/dossier"))


async def sign(steward: Harness, asset: dict[str, Any]) -> None:
    """Two people sign the dossier, one of them an approver."""
    url = f"{ASSETS}/{asset['id']}/dossier"
    body = {"sha256": done(await steward.admin.get(url))["sha256"], "statement": "I have read it."}
    done(await steward.as_("anna", f"operator:{asset['site_id']}").post(f"{url}/signatures", json=body))
    done(await steward.as_("bruno", f"approver:{asset['site_id']}").post(f"{url}/approvals", json=body))


async def validate(steward: Harness, asset: dict[str, Any]) -> None:
    """An approver, who has recorded none of them, validates the certificates that came as papers."""
    shown = done(await steward.admin.get(f"{ASSETS}/{asset['id']}/evidence"))["items"]
    papers = [one for one in shown if one["kind"] == "sanitization_certificate" and one["revoked_at"] is None]
    covers = sorted({medium for one in papers for medium in one["covers"]})
    done(await say(steward, asset, "sanitization_validated", "approver", "anna", None, covers))


BY_HAND = {"dossier": seal, "dossier_signatures": sign, "sanitization_validated": validate}
"""What people do that inventory then finds out by itself, or that looks at what was given before."""


async def upload(steward: Harness, asset: dict[str, Any], kind: str, **more: Any) -> dict[str, Any]:
    """A document of an asset."""
    fields = {"site_id": asset["site_id"], "kind": kind, "title": f"A {kind}", "asset_ids": [asset["id"]], **more}
    content = f"A {kind} of {asset['name']}".encode()
    made = await steward.admin.post(DOCUMENTS, data=fields, files={"file": ("paper.txt", content)})
    return done(made)


async def name_document(
    steward: Harness, asset: dict[str, Any], kind_id: str, document_kind: str, covers: list[str] | None = None
) -> dict[str, Any]:
    """Evidence by a document that is uploaded for it."""
    document = await upload(steward, asset, document_kind)
    body: dict[str, Any] = {"kind": kind_id, "document_id": document["id"]}
    if covers is not None:
        body["covers"] = covers
    return done(await steward.admin.post(f"{ASSETS}/{asset['id']}/evidence", json=body))


async def state_it(
    steward: Harness, asset: dict[str, Any], kind_id: str, role: str, signer: str, capacity: str | None
) -> dict[str, Any]:
    """Evidence by somebody's word."""
    return done(await say(steward, asset, kind_id, role, signer, capacity))


async def say(
    steward: Harness,
    asset: dict[str, Any],
    kind_id: str,
    role: str,
    signer: str,
    capacity: str | None,
    covers: Sequence[str] = (),
) -> httpx.Response:
    """What somebody is answered who states a kind of evidence."""
    where = "signatures" if role == "approver" else "evidence"
    body = {"kind": kind_id, "statement": "It is so; I have seen it.", "covers": list(covers)}
    body |= {"capacity": capacity} if capacity else {}
    return await steward.as_(signer, f"{role}:{asset['site_id']}").post(f"{ASSETS}/{asset['id']}/{where}", json=body)


async def waive(steward: Harness, asset: dict[str, Any], kind_id: str, days: float = 30) -> dict[str, Any]:
    """A waiver that one person asks for and another approves."""
    expires_at = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    body = {"kind": kind_id, "reason": "Shown elsewhere", "expires_at": expires_at}
    waiver = done(await steward.admin.post(f"{ASSETS}/{asset['id']}/waivers", json=body))
    approver = steward.as_("anna", f"approver:{asset['site_id']}")
    url = f"/inventory/v1/waivers/{waiver['id']}/approval"
    return done(await approver.post(url, json={"reason": "Fair"}, headers={"If-Match": '"1"'}))


def done(answer: httpx.Response) -> dict[str, Any]:
    """What a request that went well has made."""
    assert answer.is_success, f"{answer.request.url}: {answer.text}"
    made: dict[str, Any] = answer.json()
    return made
