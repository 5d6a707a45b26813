"""The mailbox over HTTP: HTML for a browser, JSON for everyone else."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from pydantic import AwareDatetime

from demo.mailbox import Mail, Mailbox

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
)
# A mail is foreign HTML: nothing in it may run, load or leave. Its own page inherits this for the frame it stands in.
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'",
    "Referrer-Policy": "no-referrer",
}
After = UUID | AwareDatetime


def mailbox_router(mailbox: Mailbox) -> APIRouter:
    """Routes ``/mailbox`` (filters `to`, `subject`: contained, in any case; `after`: a mail's id or a time) and
    ``/mailbox/{mail_id}``. JSON lists are oldest first, the page newest first."""
    router = APIRouter(prefix="/mailbox", tags=["mailbox"])

    @router.get("", response_model=None)
    async def list_mails(
        request: Request,
        to: str = "",
        subject: str = "",
        after: Annotated[After | None, Query(examples=["2026-06-13T20:00:00Z"])] = None,
    ) -> Response:
        mails = [mail for mail in mailbox.messages if _matches(mail, to, subject, after)]
        if not _wants_html(request):
            return JSONResponse([mail.as_json() for mail in mails])
        page = _PAGES.get_template("mailbox.html")
        shown = {"mails": mails[::-1], "to": to, "subject": subject, "address": request.url_for("list_mails").path}
        return HTMLResponse(page.render(shown), headers=_SAFE)

    @router.get("/{mail_id}", response_model=None)
    async def show_mail(request: Request, mail_id: UUID) -> Response:
        mail = next((mail for mail in mailbox.messages if mail.id == str(mail_id)), None)
        if mail is None:
            raise HTTPException(404, "no such mail; the mailbox keeps only the newest")
        if not _wants_html(request):
            return JSONResponse(mail.as_json())
        shown = {"mail": mail, "address": request.url_for("list_mails").path}
        return HTMLResponse(_PAGES.get_template("mail.html").render(shown), headers=_SAFE)

    return router


def _matches(mail: Mail, to: str, subject: str, after: After | None) -> bool:
    is_later = after is None or (UUID(mail.id) > after if isinstance(after, UUID) else mail.received_at > after)
    return is_later and to.casefold() in mail.to.casefold() and subject.casefold() in mail.subject.casefold()


def _wants_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
