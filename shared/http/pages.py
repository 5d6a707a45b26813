"""Keyset pages: ``limit``, ``cursor``, ``next``. A page never shifts because something was added before it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """Items in a fixed order; ``next`` is the cursor of the page that follows, or null on the last one."""

    items: Sequence[T]
    next: str | None


@dataclass(frozen=True)
class PageRequest:
    """Which page is asked for. ``after`` is the key of the last item seen."""

    limit: int
    after: str | None

    def page(self, found: Sequence[T], key: Callable[[T], str]) -> Page[T]:
        """Makes a page of up to ``limit + 1`` found items; the one too many tells that there is a next page."""
        items = found[: self.limit]
        return Page(items=items, next=key(items[-1]) if len(found) > self.limit else None)


def paging_up_to(most: int) -> Any:
    """Which page is asked for, where one has up to ``most`` items: ``Annotated[PageRequest, paging_up_to(500)]``."""

    # A coroutine, although it awaits nothing: any other dependency is sent to a thread and back.
    async def asked_page(
        limit: Annotated[int, Query(ge=1, le=most)] = 100,
        cursor: Annotated[str | None, Query(max_length=200, pattern=r"^[\x21-\x7e]+$")] = None,
    ) -> PageRequest:
        return PageRequest(limit, cursor)

    return Depends(asked_page)


Paging = Annotated[PageRequest, paging_up_to(1000)]
