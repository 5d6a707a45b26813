"""Sends a file to a running inventory and waits until it has been taken in."""

from typing import Any

import httpx

from tests.harness import Harness
from tests.news import until

IMPORTS = "/inventory/v1/imports"
OVER = "SELECT state IN ('done', 'failed') FROM imports WHERE id = $1"


async def send(
    client: httpx.AsyncClient, content: bytes | str, kind: str, name: str = "list.csv", **form: str
) -> httpx.Response:
    """The answer to a file that is sent."""
    raw = content.encode() if isinstance(content, str) else content
    fields = {"kind": kind, "site_id": "group", **form}
    return await client.post(IMPORTS, data=fields, files={"file": (name, raw)})


async def over(steward: Harness, client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """An import once it has ended."""
    assert answer.status_code == 202, answer.text
    import_id = answer.json()["id"]
    await until(steward.pools["inventory"], OVER, import_id)
    ended: dict[str, Any] = (await client.get(f"{IMPORTS}/{import_id}")).json()
    return ended


async def taken(steward: Harness, content: bytes | str, kind: str, **form: str) -> dict[str, Any]:
    """What became of a file that the group's administrator sends."""
    async with steward.admin as admin:
        return await over(steward, admin, await send(admin, content, kind, **form))


async def rows_of(client: httpx.AsyncClient, import_id: str, **query: str) -> list[dict[str, Any]]:
    """The whole report of an import, page by page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(f"{IMPORTS}/{import_id}/rows", params={"limit": "3", **query, **cursor})).json()
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def counts(ended: dict[str, Any]) -> tuple[int, int, int, int]:
    """Created, changed, same, refused."""
    return ended["created"], ended["changed"], ended["same"], ended["refused"]
