"""Evidence over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from services.inventory.assets.handlers import find_asset
from services.inventory.evidence import handlers, store
from services.inventory.evidence.domain import EvidenceRecord
from services.inventory.policies.domain import KindId
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Line, Prose

router = APIRouter(prefix="/v1", tags=["lifecycle"])

Words = Annotated[Prose, Field(min_length=1, max_length=2000)]
Reason = Annotated[Prose, Field(min_length=1, max_length=2000)]
STATEMENT: JsonDict = {
    "kind": "senders_repointed",
    "statement": "No sender has associated since 3 March; seen in the archive's log of the last 14 days.",
}
SIGNATURE: JsonDict = {
    "kind": "go_live_sign_offs",
    "statement": "I have seen the acceptance suite pass, and the training is done.",
    "capacity": "radiology",
}


class RecordEvidence(Body):
    """A document, an event or a statement of yours that serves as evidence: one of the three.

    ``covers`` are the media (by their ids) or interfaces that a document or statement is about, where its kind asks
    for each.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [STATEMENT]})

    kind: KindId
    document_id: Id | None = None
    event_id: Annotated[Line | None, Field(description="the id of an event in the audit trail")] = None
    statement: Words | None = None
    covers: list[Line] = Field(default_factory=list, max_length=500)

    @model_validator(mode="after")
    def _one_of_three(self) -> "RecordEvidence":
        if sum(one is not None for one in (self.document_id, self.event_id, self.statement)) != 1:
            raise PydanticCustomError(
                "evidence",
                "must have one of document_id, event_id and statement",
                {"example": '{"kind": "senders_repointed", "statement": "…"}'},
            )
        return self


class Sign(Body):
    """What an approver signs for, in one of the capacities of its kind.

    ``covers`` are the media (by their ids) or interfaces that he speaks of, where the kind asks for each.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [SIGNATURE]})

    kind: KindId
    statement: Words
    capacity: Line | None = None
    covers: list[Line] = Field(default_factory=list, max_length=500)


class Revoke(Body):
    """Why something does not hold any more."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The certificate was issued for another."}]})

    reason: Reason


@router.post("/assets/{asset_id}/evidence", status_code=201)
async def record_evidence(
    asset_id: Id, body: RecordEvidence, call: Annotated[Call, requires("operator")]
) -> EvidenceRecord:
    """Names what serves for a step of an asset's life, by one of the kinds of the policy."""
    await call.find("operator", "asset", find_asset, asset_id)
    if body.document_id is not None:
        return await call.run(handlers.record_document, asset_id, body.kind, body.document_id, body.covers)
    if body.event_id is not None:
        return await call.run(handlers.record_event, asset_id, body.kind, body.event_id)
    words = body.statement or ""
    return await call.run(handlers.record_statement, asset_id, body.kind, words, "operator", None, body.covers)


@router.post("/assets/{asset_id}/signatures", status_code=201)
async def sign(asset_id: Id, body: Sign, call: Annotated[Call, requires("approver")]) -> EvidenceRecord:
    """Signs for a kind of evidence that an approver states; where it has capacities, each is for another person."""
    await call.find("approver", "asset", find_asset, asset_id)
    words, covers = body.statement, body.covers
    return await call.run(handlers.record_statement, asset_id, body.kind, words, "approver", body.capacity, covers)


@router.get("/assets/{asset_id}/evidence")
async def list_evidence(
    asset_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging
) -> Page[EvidenceRecord]:
    """The evidence of an asset, oldest first, also what is revoked."""
    await call.find("viewer", "asset", find_asset, asset_id)
    async with call.read() as conn:
        found = await store.select_page(conn, asset_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda record: record.id)


@router.get("/evidence/{evidence_id}")
async def get_evidence(evidence_id: Id, call: Annotated[Call, requires("viewer")]) -> EvidenceRecord:
    """One piece of evidence, with the ETag that its revocation must name."""
    return call.tag(await call.find("viewer", "evidence", handlers.find_evidence, evidence_id))


@router.post("/evidence/{evidence_id}/revocation")
async def revoke_evidence(
    evidence_id: Id, body: Revoke, call: Annotated[Call, requires("operator")], version: IfMatch
) -> EvidenceRecord:
    """Takes evidence back, with a reason; it stays to be seen."""
    await call.find("operator", "evidence", handlers.find_evidence, evidence_id)
    return await call.run(handlers.revoke_evidence, evidence_id, version, body.reason)
