"""The simulated fleet's switches and the mailbox over HTTP, under a path that only who reads `up.json` knows."""

import asyncio

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from demo.fleet import Fleet
from demo.mailbox import Mailbox
from demo.mailbox_pages import mailbox_router
from demo.node import Node
from shared.errors import NotFound
from shared.http import problems


class DemoNode(BaseModel):
    """One simulated DICOM node."""

    ae_title: str
    role: str
    host: str
    port: int
    folder: str | None
    is_running: bool

    @classmethod
    def of(cls, node: Node) -> "DemoNode":
        """Shows a node."""
        return cls(
            ae_title=node.ae_title,
            role=node.role,
            host=node.host,
            port=node.port,
            folder=str(node.folder) if node.folder else None,
            is_running=node.is_running,
        )


def control_app(mailbox: Mailbox, fleet: Fleet | None) -> FastAPI:
    """The application: ``/mailbox``, ``/nodes``, ``/nodes/{ae_title}/stop`` and ``/start``."""
    app = FastAPI(title="Steward simulated group", redoc_url=None)
    problems.install(app)
    app.include_router(mailbox_router(mailbox))
    if fleet is not None:
        app.include_router(_nodes_router(fleet))
    return app


def _nodes_router(fleet: Fleet) -> APIRouter:
    router = APIRouter(prefix="/nodes", tags=["nodes"])

    def find(ae_title: str) -> Node:
        for node in fleet.nodes:
            if node.ae_title == ae_title:
                return node
        raise NotFound(f"no simulated node {ae_title}")

    @router.get("")
    async def list_nodes() -> list[DemoNode]:
        return [DemoNode.of(node) for node in fleet.nodes]

    @router.post("/{ae_title}/stop")
    async def stop(ae_title: str) -> DemoNode:
        node = find(ae_title)
        await asyncio.to_thread(node.stop)
        return DemoNode.of(node)

    @router.post("/{ae_title}/start")
    async def start(ae_title: str) -> DemoNode:
        node = find(ae_title)
        await asyncio.to_thread(node.start)
        return DemoNode.of(node)

    return router
