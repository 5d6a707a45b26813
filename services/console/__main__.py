"""Wires the console."""

import httpx
import uvloop
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from services.console.assets.api import router as assets
from services.console.components.api import router as components
from services.console.contracts.api import router as contracts
from services.console.endoflife.api import router as endoflife
from services.console.overview.api import router as overview
from services.console.pages import STATIC, SafeHeaders
from services.console.rest import StewardApi
from services.console.settings import ConsoleSettings
from services.console.sign_in.api import leading_to_sign_in
from services.console.sign_in.api import router as sign_in
from services.console.sign_in.visitor import COOKIE, NotSignedIn, refuse_undeclared
from shared import telemetry
from shared.http import problems
from shared.http.app import Health, LimitBody, Observe, add_operations
from shared.identity import Identity, Keys
from shared.service import listen, serve
from shared.settings import load


def build_app(settings: ConsoleSettings, transport: httpx.AsyncBaseTransport | None = None) -> ASGIApp:
    """The console's application, to be mounted at ``/console``.

    With ``transport`` the other services are asked through it and not over the network; an ``httpx.ASGITransport``
    must be made with ``raise_app_exceptions=False``, so that a service's failure is an answer of 500.
    """
    app = FastAPI(title="Steward console", openapi_url=None)
    app.state.identity = Identity(settings.oidc_issuer, settings.oidc_audience, Keys(settings.oidc_jwks))
    app.state.api = StewardApi(settings.console_api, transport)
    problems.install(app)
    app.exception_handler(NotSignedIn)(_ask_to_sign_in)
    for router in (overview, assets, components, endoflife, sign_in, contracts):
        refuse_undeclared(router)
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    add_operations(app, _ready)
    app.add_middleware(LimitBody)
    app.add_middleware(SafeHeaders)
    app.add_middleware(Observe, service="console")
    return app


async def _ask_to_sign_in(request: Request, _: Exception) -> Response:
    return leading_to_sign_in("?ended=true" if COOKIE in request.cookies else "")


async def _ready() -> Health:
    """The console keeps nothing that could be unready; what does not answer is told on the page."""
    return Health()


async def run(settings: ConsoleSettings) -> None:
    """Serves the console alone until SIGTERM or SIGINT."""
    telemetry.configure_logs(settings.log_level)
    telemetry.configure_traces("console", settings.otlp_endpoint)
    await serve({"console": build_app(settings)}, settings, listen(settings))


def main() -> None:
    """Runs the console alone."""
    uvloop.run(run(load(ConsoleSettings)))


if __name__ == "__main__":
    main()
