"""Lists over REST: what the caller may see, filtered by what was asked, a page at a time by id."""

from collections.abc import Collection, Mapping

import asyncpg

from shared.database import Connection


async def fetch_page(
    conn: Connection,
    source: str,
    visible: Collection[str] | None,
    wanted: Mapping[str, object | None],
    beyond: str | None,
    limit: int,
    *,
    latest_first: bool = False,
) -> list[asyncpg.Record]:
    """Rows of ``source``, a table or a subquery with a name, by id behind ``beyond``, or before it the latest first.

    ``visible`` None stands for all sites; of ``wanted``, expressions over the columns, what is None is not asked for.
    """
    asked = {expression: value for expression, value in wanted.items() if value is not None}
    terms = {f"({expression}) = ${{}}": value for expression, value in asked.items()}
    if visible is not None:
        terms["site_id = ANY(${}::text[])"] = list(visible)
    if beyond is not None:
        terms[f"id {'<' if latest_first else '>'} ${{}}"] = beyond
    where = " AND ".join(["true", *(term.format(place) for place, term in enumerate(terms, start=1))])
    order = "id DESC" if latest_first else "id"
    return await conn.fetch(
        f"SELECT * FROM {source} WHERE {where} ORDER BY {order} LIMIT {limit:d}",  # noqa: S608 -- all but values is ours
        *terms.values(),
    )
