"""Redirects: followed within bounds, never with credentials to another host."""

import httpx

from services.probes.kinds.attempt import failed


async def follow(
    client: httpx.AsyncClient, request: httpx.Request, most: int, hosts: frozenset[str] | None = None
) -> httpx.Response:
    """The first answer that is no redirect, after at most ``most``; with none allowed, the first answer.

    Where ``hosts`` is set, what we send may go to these alone; None stands for a client that sends nothing to hide.
    """
    response = await client.send(request, follow_redirects=False)
    for _ in range(most):
        onward = response.next_request
        if onward is None:
            return response
        _refuse_leak(request.url, onward.url, hosts)
        response = await client.send(onward, follow_redirects=False)
    if most and response.next_request is not None:
        raise failed("redirect", f"The server redirects more than {most} times.")
    return response


def _refuse_leak(asked: httpx.URL, onward: httpx.URL, hosts: frozenset[str] | None) -> None:
    if onward.scheme not in ("http", "https"):
        raise failed("redirect", f"The server redirects to {onward.scheme}:, which is not followed.")
    if hosts is None:
        return
    if onward.host not in hosts:
        raise failed("redirect", f"The server redirects to {onward.host}, where our credentials don't go.")
    if asked.scheme == "https" and onward.scheme == "http":
        raise failed("redirect", "The server redirects from https to http, where our credentials don't go.")
