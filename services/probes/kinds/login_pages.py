"""Login forms of web pages: which fields they have, hidden ones included, and where they go."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from services.probes.dicom.turns import Turn

READ_AT_ONCE = 512
LONGEST_TAG = 256 * 1024
MOST_FORMS = 50
MOST_FIELDS = 200
_USER_TYPES = {"text", "email", "tel", ""}


@dataclass
class Form:
    """A form as the page has it. ``fields`` are those that are sent as they are, such as one against forgery."""

    action: str = ""
    method: str = "get"
    name: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    user_fields: list[str] = field(default_factory=list)
    password_fields: list[str] = field(default_factory=list)

    def filled(self, username: str, password: str, names: Mapping[str, str | None]) -> dict[str, str]:
        """What a browser would send. Raises LookupError when the form lacks a field for the user or the password."""
        user_field = names.get("username") or next(iter(self.user_fields), None)
        password_field = names.get("password") or next(iter(self.password_fields), None)
        if user_field is None or password_field is None:
            raise LookupError("user" if user_field is None else "password")
        return {**self.fields, user_field: username, password_field: password}


async def login_form(page: str, name: str | None) -> Form | None:
    """The form of that id or name, else the first that asks for a password; None where there is none.

    A page is read in small parts, so that a large one holds nobody up; behind a tag, or a script, that
    does not end there is nothing.
    """
    reader = _Forms()
    turn = Turn()
    start = 0
    while start < len(page):
        # What is open yet is read anew each time: its end is looked for ever further away.
        end = start + max(READ_AT_ONCE, len(reader.rawdata))
        reader.feed(page[start:end])
        start = end
        if len(reader.rawdata) > LONGEST_TAG:
            break
        if turn.is_over():
            await asyncio.sleep(0)
            turn.begin()
    else:
        reader.close()
    for form in reader.forms:
        if form.name == name if name else form.password_fields:
            return form
    return None


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._has_submit = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and len(self.forms) < MOST_FORMS:
            self._open = Form(
                found.get("action", ""), found.get("method", "get").lower(), found.get("id") or found.get("name", "")
            )
            self._has_submit = False
            self.forms.append(self._open)
        elif tag in ("input", "button") and self._open is not None:
            self._see(self._open, found, found.get("type", "submit" if tag == "button" else "").lower())

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None

    def _see(self, form: Form, found: Mapping[str, str], kind: str) -> None:
        name = found.get("name", "")
        if not name or len(form.fields) >= MOST_FIELDS:
            return
        if kind == "password":
            form.password_fields.append(name)
        elif kind in _USER_TYPES:
            form.user_fields.append(name)
            form.fields.setdefault(name, found.get("value", ""))
        elif kind == "hidden" or (kind == "submit" and not self._has_submit):
            # A browser sends the name of the one button that was pressed.
            self._has_submit |= kind == "submit"
            form.fields[name] = found.get("value", "")
        elif kind in ("checkbox", "radio") and "checked" in found:
            form.fields[name] = found.get("value", "on")
