"""Makes the console's HTML, and the headers that keep a page from running, loading or leaking anything."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console import times

HERE = Path(__file__).parent
STATIC = HERE / "static"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_PAGES = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_PAGES.filters |= {
    **{"local": times.local, "dated": times.dated, "ago": times.ago, "day": times.day, "distance": times.distance},
    **{"size": times.size, "words": times.words, "brief": times.brief},
}


def page(template: str, status: int = 200, **shown: object) -> HTMLResponse:
    """A page; everything in ``shown`` is escaped where it stands."""
    return HTMLResponse(_PAGES.get_template(template).render(shown), status)


class SafeHeaders:
    """Adds the protective headers to every answer. Only static files may be kept, and are asked for anew each time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SAFE)
                headers["Cache-Control"] = "no-cache" if "/static/" in scope["path"] else "no-store"
            await send(message)

        await self._app(scope, receive, guarded)
