"""Agents over HTTP. They open every connection themselves, with an API key of the role ``service`` at their sites."""

from typing import Annotated

from fastapi import APIRouter, Header, Response
from starlette.status import HTTP_304_NOT_MODIFIED

from services.probes.agents import handlers, store
from services.probes.agents.domain import Agent, AgentName, Assignments, Delivery, Receipt
from services.probes.alerts.domain import Policy
from services.probes.runs.handlers import RunRules
from shared.http import Call, Page, Paging, requires


def agents_router(policy: Policy) -> APIRouter:
    """The routes, where results are judged by this policy."""
    router = APIRouter(prefix="/v1/agents", tags=["agents"])

    @router.get("")
    async def list_agents(call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Agent]:
        """The agents that probe your sites from elsewhere, by name, and when each was last heard of."""
        async with call.read() as conn:
            found = await store.select_agents(conn, call.caller.sites("viewer"), paging.after, paging.limit + 1)
        return paging.page(found, lambda agent: agent.name)

    @router.get("/{agent}/assignments", response_model=Assignments)
    async def give_assignments(
        agent: AgentName,
        call: Annotated[Call, requires("service")],
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """The probes that the agent is to make, with an ETag; 304 when it has them.

        404 as long as no check at its sites has had its name as the vantage.
        """
        async with call.read() as conn:
            work = await handlers.find_assignments(conn, agent, call.caller.sites("service"))
        etag = f'"{work.tag}"'
        if if_none_match == etag:
            return Response(status_code=HTTP_304_NOT_MODIFIED, headers={"ETag": etag})
        return Response(work.model_dump_json(), media_type="application/json", headers={"ETag": etag})

    @router.post("/{agent}/results")
    async def take_results(agent: AgentName, body: Delivery, call: Annotated[Call, requires("service")]) -> Receipt:
        """Takes what the agent saw. What this has answered for is kept; the agent may forget it.

        409 while the agent's clock is more than a minute from the service's.
        """
        return await call.run(handlers.take_delivery, call.caller.sites("service"), body, RunRules(policy, agent))

    return router
