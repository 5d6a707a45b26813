"""Assets over HTTP."""

from typing import Annotated, cast

from fastapi import APIRouter, Query
from pydantic import ConfigDict
from pydantic.config import JsonDict

from services.inventory.assets import handlers, store
from services.inventory.assets.domain import (
    AeTitle,
    Asset,
    Host,
    Kind,
    Membership,
    Node,
    Placing,
    Port,
    Software,
    StartState,
    System,
)
from services.inventory.assets.store import Selection
from shared.events import SiteId
from shared.events.inventory import ClusterRole, Deployment, DicomAddress, Environment, LifecycleState, NodeRole
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Line

router = APIRouter(prefix="/v1", tags=["assets"])

SYSTEM_EXAMPLE: JsonDict = {
    "name": "North archive",
    "software": {"vendor": "Northlight Imaging", "product": "Archive One", "version": "5.2.1"},
}
NODE_EXAMPLE: JsonDict = {
    "system_id": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10",
    "name": "North archive, storage",
    "ae_title": "NORTH_PACS",
    "host": "pacs.north.example.org",
    "port": 104,
    "role": "archive",
}


class ChangeSystem(Body):
    """All that can change about a system, apart from its state.

    Environment, deployment and mirrored system stay as they are where they are left out.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [SYSTEM_EXAMPLE]})

    name: Line
    software: Software
    environment: Environment = "production"
    deployment: Deployment = "on_premises"
    mirrors: Id | None = None

    def placing(self) -> Placing:
        """What was said of where it runs and what for."""
        return cast(Placing, self.model_dump(include=set(Placing.__annotations__), exclude_unset=True))


class RegisterSystem(ChangeSystem):
    """A PACS of a site. One that runs already is adopted as it stands; one that is wished for is ``proposed``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"site_id": "north", **SYSTEM_EXAMPLE}]})

    site_id: SiteId
    state: StartState = "in_service"


class ChangeNode(Body):
    """All that can change about a node, apart from its state. Its system may be another one of the same site.

    Nodes that share a load name the same ``cluster``; the address that their peers know has the role ``shared``. Both
    stay as they are where they are left out.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [NODE_EXAMPLE]})

    system_id: Id
    name: Line
    ae_title: AeTitle
    host: Host
    port: Port
    role: NodeRole
    cluster: Line | None = None
    cluster_role: ClusterRole | None = None

    def membership(self) -> Membership:
        """What was said of its cluster."""
        return cast(Membership, self.model_dump(include=set(Membership.__annotations__), exclude_unset=True))

    def address(self) -> DicomAddress:
        """Where the node answers."""
        return DicomAddress(ae_title=self.ae_title, host=self.host, port=self.port, role=self.role)


class RegisterNode(ChangeNode):
    """A DICOM node of a system; it is at the system's site. A modality belongs to the PACS that it talks to."""

    model_config = ConfigDict(json_schema_extra={"examples": [NODE_EXAMPLE]})

    state: StartState = "in_service"


@router.post("/systems", status_code=201)
async def register_system(body: RegisterSystem, call: Annotated[Call, requires("operator")]) -> System:
    """Registers a system."""
    call.caller.require("operator", body.site_id)
    await _find_mirrored(call, body)
    return await call.run(handlers.register_system, body.site_id, body.name, body.software, body.state, body.placing())


@router.get("/systems")
async def list_systems(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    state: LifecycleState | None = None,
) -> Page[System]:
    """The systems of your sites."""
    chosen = Selection(call.caller.sites("viewer"), site_id=site_id, state=state)
    async with call.read() as conn:
        found = await store.select_systems(conn, chosen, paging.after, paging.limit + 1)
    return paging.page(found, lambda system: system.id)


@router.get("/systems/{system_id}")
async def get_system(system_id: Id, call: Annotated[Call, requires("viewer")]) -> System:
    """The system, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await call.find("viewer", "system", store.select_system, system_id))


@router.put("/systems/{system_id}")
async def change_system(
    system_id: Id, body: ChangeSystem, call: Annotated[Call, requires("operator")], version: IfMatch
) -> System:
    """Changes a system."""
    await call.find("operator", "system", store.select_system, system_id)
    await _find_mirrored(call, body)
    return await call.run(handlers.change_system, system_id, version, body.name, body.software, body.placing())


@router.post("/nodes", status_code=201)
async def register_node(body: RegisterNode, call: Annotated[Call, requires("operator")]) -> Node:
    """Registers a node."""
    await call.find("operator", "system", store.select_system, body.system_id)
    return await call.run(
        handlers.register_node, body.system_id, body.name, body.address(), body.state, body.membership()
    )


@router.get("/nodes")
async def list_nodes(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    state: LifecycleState | None = None,
    system_id: Id | None = None,
) -> Page[Node]:
    """The nodes of your sites."""
    chosen = Selection(call.caller.sites("viewer"), site_id=site_id, state=state, system_id=system_id)
    async with call.read() as conn:
        found = await store.select_nodes(conn, chosen, paging.after, paging.limit + 1)
    return paging.page(found, lambda node: node.id)


@router.get("/nodes/{node_id}")
async def get_node(node_id: Id, call: Annotated[Call, requires("viewer")]) -> Node:
    """The node, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await call.find("viewer", "node", store.select_node, node_id))


@router.put("/nodes/{node_id}")
async def change_node(
    node_id: Id, body: ChangeNode, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Node:
    """Changes a node."""
    await call.find("operator", "node", store.select_node, node_id)
    await call.find("operator", "system", store.select_system, body.system_id)
    return await call.run(
        handlers.change_node, node_id, version, body.system_id, body.name, body.address(), body.membership()
    )


@router.get("/assets")
async def list_assets(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    kind: Kind | None = None,
    state: LifecycleState | None = None,
    system_id: Id | None = None,
    id: Annotated[list[Id] | None, Query(max_length=200, description="these alone")] = None,
) -> Page[Asset]:
    """The systems, nodes and components of your sites."""
    chosen = Selection(call.caller.sites("viewer"), kind, site_id, state, system_id, id)
    async with call.read() as conn:
        found = await store.select_assets(conn, chosen, paging.after, paging.limit + 1)
    return paging.page(found, lambda asset: asset.id)


@router.get("/assets/{asset_id}")
async def get_asset(asset_id: Id, call: Annotated[Call, requires("viewer")]) -> Asset:
    """The asset, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await call.find("viewer", "asset", handlers.find_asset, asset_id))


async def _find_mirrored(call: Call, body: ChangeSystem) -> None:
    if body.mirrors is not None:
        await call.find("operator", "system", store.select_system, body.mirrors)
