"""Routes that read the log cost no more than they must."""

from collections.abc import Iterator
from inspect import iscoroutinefunction

import pytest
from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from services.compliance.export.api import export_router
from services.compliance.log.api import router as log
from services.compliance.search.api import router as search


def dependencies(dependant: Dependant) -> Iterator[Dependant]:
    """All that a route depends on, at any depth."""
    for one in dependant.dependencies:
        yield one
        yield from dependencies(one)


@pytest.mark.parametrize("router", [log, search, export_router([])], ids=["log", "search", "export"])
def test_no_dependency_is_sent_to_a_thread(router: APIRouter) -> None:
    """What is no coroutine waits for a thread and then for the interpreter, which a batch of the writer may hold."""
    routes = [route for route in router.routes if isinstance(route, APIRoute)]
    assert routes
    for route in routes:
        for one in dependencies(route.dependant):
            assert iscoroutinefunction(one.call) or iscoroutinefunction(type(one.call).__call__), (route.path, one.call)
