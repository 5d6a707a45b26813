"""What the gates must know of an asset, gathered from the other capabilities in a few queries."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from services.inventory.assets.domain import Asset, Component, Node, System
from services.inventory.contracts import handlers as contracts
from services.inventory.contracts.domain import Contract
from services.inventory.contracts.terms import local_day
from services.inventory.custody import handlers as custody
from services.inventory.custody.disposal import HARDWARE
from services.inventory.documents import handlers as documents
from services.inventory.documents.domain import Document
from services.inventory.dossier import handlers as dossiers
from services.inventory.dossier.domain import why_not_sealed, why_not_signed
from services.inventory.lifecycle import store
from services.inventory.lifecycle.domain import FINAL
from services.inventory.lifecycle.gates import AssetFacts
from services.inventory.lifecycle.store import Part
from services.inventory.links import handlers as links
from services.inventory.policies.domain import Fact
from services.inventory.sites.handlers import zones_of
from services.inventory.vendors import handlers as vendors
from shared.database import Connection
from shared.events.documents import DocumentKind
from shared.events.inventory import ContractKind, LifecycleState

OWNER = "clinical_owner"
NO_HARDWARE = "no hardware component is recorded"
MOST_NAMES = 10
PROVED_CLEAN = frozenset({"sanitized", "disposed", "closed", "cancelled"})
"""The states of a medium that has shown its certificate at its own gate, or was never written to."""

OFF_THE_NETWORK: frozenset[LifecycleState] = frozenset({"isolated", "sanitized", "disposed", "closed", "cancelled"})


async def facts_of(conn: Connection, asset: Asset, now: datetime) -> AssetFacts:
    """All that a policy may ask of the asset as it stands."""
    parts = await store.select_parts(conn, asset.id)
    kept = await store.select_media_at_isolation(conn, asset.id) if asset.state == "isolated" else []
    alone = asset.state == "disposed" and await store.is_in_no_dossier(conn, asset.id)
    return AssetFacts(
        state=asset.state,
        classes=classes_of(asset, is_in_no_dossier=alone),
        state_since=await store.select_last_move(conn, asset.id),
        interfaces=frozenset(part.role for part in parts if part.role is not None and part.state not in FINAL),
        media=media_of(asset, [*parts, *kept]),
        said=await _said(conn, asset, parts, now),
    )


def classes_of(asset: Asset, *, is_in_no_dossier: bool = False) -> frozenset[str]:
    """The classes of assets that the gates of a policy name."""
    if isinstance(asset, System):
        return frozenset({"system", f"system:{asset.environment}", f"system:{asset.deployment}"})
    if isinstance(asset, Component):
        keeping = ("component:medium", *(["component:lone_medium"] if is_in_no_dossier else []))
        medium = keeping if _keeps_data(asset.type, asset.media_type) else ()
        return frozenset({"component", f"component:{asset.type}", *medium})
    return frozenset({"node", f"node:{asset.role}"})


def media_of(asset: Asset, parts: Sequence[Part]) -> Mapping[str, str]:
    """The media whose certificates the asset needs, by id: the asset itself, or what keeps data in it."""
    if isinstance(asset, Component):
        return {asset.id: asset.name} if _keeps_data(asset.type, asset.media_type) else {}
    return {
        part.id: part.name
        for part in parts
        if _keeps_data(part.type, part.media_type) and part.state not in PROVED_CLEAN
    }


def _keeps_data(component_type: str | None, media_type: str | None) -> bool:
    return component_type == "drive" or media_type is not None


async def _said(conn: Connection, asset: Asset, parts: Sequence[Part], now: datetime) -> Mapping[Fact, str | None]:
    zones = await zones_of(conn, {asset.site_id})
    today = local_day(now, zones[asset.site_id])
    papers = await documents.documents_of(conn, asset.id)
    covering = [one for one in await contracts.contracts_of(conn, asset.id) if one.holds_on(today)]
    has_owner = await store.site_has(conn, asset.site_id, OWNER)
    return {
        "owner": None if has_owner else f"nobody at the site has the role {OWNER}",
        "hardware_recorded": None if _hardware(parts) else NO_HARDWARE,
        "serial_numbers": _serial_numbers(asset, parts),
        "dicom_addresses": None if isinstance(asset, Node) or _nodes(parts) else "no DICOM node is registered",
        "mds2_form": _document(papers, "mds2", today),
        "sbom": _document(papers, "sbom", today),
        "support_dates": await _support_dates(conn, asset),
        "support_contact": _contract(covering, "support", "no support contract in force names whom to call"),
        "business_associate_agreement": _contract(covering, "business_associate", "no agreement in force covers it"),
        "no_dependents": await _dependents(conn, asset, parts),
        "parts_ended": _listed("still alive:", (part.name for part in parts if part.state not in FINAL)),
        "media_recorded": _media_recorded(asset, parts),
        **await _said_at_the_end(conn, asset),
    }


async def _said_at_the_end(conn: Connection, asset: Asset) -> Mapping[Fact, str | None]:
    """What only the last steps ask, and what takes reading all of a life: it is found out when they are due."""
    if asset.state == "sanitized":
        return {
            "custody_complete": await custody.why_custody_incomplete(conn, asset),
            "on_manifest": await custody.why_not_disposed(conn, asset),
        }
    if asset.state == "disposed":
        dossier = await dossiers.newest_dossier(conn, asset)
        return {"dossier_sealed": why_not_sealed(dossier), "dossier_signatures": why_not_signed(dossier)}
    return {}


async def _dependents(conn: Connection, asset: Asset, parts: Sequence[Part]) -> str | None:
    """What others lose, apart from the asset's own parts. What lies at another site is told of without its name."""
    own = {part.id for part in parts}
    losing = [one for one in await links.dependents(conn, asset.id) if one.id not in own]
    names = {
        one.name if one.site_id == asset.site_id else "something at another site"
        for one in losing
        if one.state not in OFF_THE_NETWORK
    }
    mirrors = [name for name, state in await store.select_mirrors(conn, asset.id) if state not in OFF_THE_NETWORK]
    whys = (_listed("still depended on by", names), _listed("still mirrored by", mirrors))
    return "; ".join(why for why in whys if why) or None


def _document(papers: Sequence[Document], kind: DocumentKind, today: date) -> str | None:
    of_kind = [one for one in papers if one.kind == kind]
    if not of_kind:
        return f"no document of the kind {kind} belongs to it"
    valid = any(one.is_valid_on(today) for one in of_kind)
    return None if valid else f"its document of the kind {kind} is not valid any more"


async def _support_dates(conn: Connection, asset: Asset) -> str | None:
    """What is missing of the vendor's word on a system's software; that no end is announced is a word."""
    if not isinstance(asset, System):
        return "only for the software of a system is it looked up"
    runs = asset.software
    known = await vendors.support_of_called(conn, runs.vendor, runs.product, runs.version)
    called = f"{runs.vendor} {runs.product} {runs.version}"
    return f"the catalogue does not know until when {called} is supported" if known.state == "unknown" else None


def _media_recorded(asset: Asset, parts: Sequence[Part]) -> str | None:
    """Whether any medium in it is known: what is not recorded is no proof that there is nothing."""
    known = any(_keeps_data(part.type, part.media_type) and part.state != "cancelled" for part in parts)
    return None if known or media_of(asset, ()) else "no drive or other medium in it is recorded"


def _nodes(parts: Sequence[Part]) -> list[Part]:
    return [part for part in parts if part.kind == "node" and part.state not in FINAL]


def _hardware(parts: Sequence[Part]) -> list[Part]:
    return [part for part in parts if part.type in HARDWARE and part.state not in FINAL]


def _serial_numbers(asset: Asset, parts: Sequence[Part]) -> str | None:
    if isinstance(asset, Component):
        return None if asset.serial else "it has no serial number"
    hardware = _hardware(parts)
    if not hardware:
        return NO_HARDWARE
    return _listed("without serial number:", (part.name for part in hardware if not part.serial))


def _contract(covering: Sequence[Contract], kind: ContractKind, lacking: str) -> str | None:
    found = any(one.kind == kind and (one.escalation or kind != "support") for one in covering)
    return None if found else lacking


def _listed(words: str, names: Iterable[str]) -> str | None:
    listed = sorted(names)
    more = f" and {len(listed) - MOST_NAMES} more" if len(listed) > MOST_NAMES else ""
    return f"{words} {', '.join(listed[:MOST_NAMES])}{more}" if listed else None
