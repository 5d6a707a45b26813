"""Dossiers over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from services.inventory.assets.domain import Asset
from services.inventory.assets.handlers import find_asset
from services.inventory.dossier import handlers
from services.inventory.dossier.domain import Dossier, SignDossier
from shared.http import Call, requires
from shared.resource import Id

router = APIRouter(prefix="/v1/assets/{asset_id}/dossier", tags=["dossiers"])


@router.post("", status_code=201)
async def seal_dossier(asset_id: Id, call: Annotated[Call, requires("operator")]) -> Dossier:
    """Seals the dossier of an asset that is disposed of; 409 says all that is missing."""
    await call.find("operator", "asset", find_asset, asset_id)
    prepared = await handlers.prepare(call.context.pool, asset_id, call.caller.name, datetime.now(UTC))
    return await call.run(handlers.seal_dossier, prepared)


@router.get("")
async def get_dossier(asset_id: Id, call: Annotated[Call, requires("viewer")]) -> Dossier:
    """The newest dossier of an asset: its digest, who has signed, and what has changed since it was sealed."""
    return call.tag(await _find(call, asset_id))


@router.get("/file", response_class=StreamingResponse)
async def get_file(asset_id: Id, call: Annotated[Call, requires("viewer")]) -> StreamingResponse:
    """The dossier as a ZIP file: the manifest, a PDF for people, and the documents."""
    dossier = await _find(call, asset_id)
    headers = {
        "Content-Disposition": f'attachment; filename="dossier-{asset_id}.zip"',
        "Content-Length": str(dossier.size),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{dossier.sha256}"',
    }
    pieces = handlers.stream_dossier(call.context.pool, dossier)
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.post("/signatures", status_code=201)
async def sign_dossier(asset_id: Id, body: SignDossier, call: Annotated[Call, requires("operator")]) -> Dossier:
    """Signs the dossier as who has carried out the decommissioning; it also takes an approver, another person."""
    await call.find("operator", "asset", find_asset, asset_id)
    return await call.run(handlers.sign_dossier, asset_id, body, "operator")


@router.post("/approvals", status_code=201)
async def approve_dossier(asset_id: Id, body: SignDossier, call: Annotated[Call, requires("approver")]) -> Dossier:
    """Signs the dossier as an approver."""
    await call.find("approver", "asset", find_asset, asset_id)
    return await call.run(handlers.sign_dossier, asset_id, body, "approver")


async def _find(call: Call, asset_id: str) -> Dossier:
    asset: Asset = await call.find("viewer", "asset", find_asset, asset_id)
    async with call.read() as conn:
        return await handlers.find_dossier(conn, asset)
