"""Words are found as a plain look at every component finds them, whichever way is taken to them."""

from collections.abc import Collection

from services.inventory.components.store import Selection, select_components
from shared.database import Connection, Pool

LIMIT = 101
LATER = "000000004000"
REGION = {f"site-{number}" for number in range(200)}
SEARCHES: dict[str, tuple[Selection, str | None]] = {
    "common words": (Selection(words=["drive"]), None),
    "common words further on": (Selection(words=["maker", "drive"]), LATER),
    "common words in a region": (Selection(visible=REGION, words=["server"]), None),
    "words of some, met on the way": (Selection(words=["drive", "77"]), None),
    "words of some of a type": (Selection(type="drive", words=["model", "44"]), LATER),
    "words of few": (Selection(words=["model", "477"]), None),
    "words of one": (Selection(words=["s12345"]), None),
    "words of one of another type": (Selection(type="drive", words=["t15999", "ups"]), None),
    "words of nothing": (Selection(words=["nowhere"]), None),
    "words of many, all far ahead": (Selection(words=["t15"]), LATER),
    "all words at one site": (Selection(visible={"site-250"}, words=["drive"]), None),
    "words of nothing at one site": (Selection(visible={"site-250"}, words=["nowhere"]), None),
    "near the end": (Selection(words=["s1999"]), "000000019000"),
    "behind the end": (Selection(words=["drive"]), "000000020000"),
}


async def by_looking_at_all(conn: Connection, words: Collection[str], type_: str | None) -> list[tuple[str, str]]:
    """The ids and sites of the components that have the words."""
    rows = await conn.fetch("SELECT asset_id, site_id, type, search_text FROM components ORDER BY asset_id")
    having = [row for row in rows if all(word in row["search_text"] for word in words)]
    return [(row["asset_id"], row["site_id"]) for row in having if type_ in (None, row["type"])]


async def test_search_finds_what_a_look_at_every_component_finds(fleet: Pool) -> None:
    """Met on the way, looked up or neither; on the first page or a later one, at all sites or at some."""
    async with fleet.acquire() as conn:
        for name, (chosen, after) in SEARCHES.items():
            seen = await by_looking_at_all(conn, chosen.words, chosen.type)
            visible = [asset for asset, site in seen if chosen.visible is None or site in chosen.visible]
            expected = [asset for asset in visible if asset > (after or "")][:LIMIT]
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                found = await select_components(conn, chosen, after, LIMIT)
            assert [component.id for component in found] == expected, name
