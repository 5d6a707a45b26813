"""SQL of vendors, their products and versions."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import asyncpg

from services.inventory.vendors.domain import Product, ProductType, ProductVersion, Vendor
from services.inventory.vendors.names import Makers, spelling_of_product, spelling_of_vendor
from shared.database import Connection, found
from shared.errors import Conflict, NotFound, Stale


async def upsert_vendor(conn: Connection, vendor: Vendor) -> None:
    """Adds a vendor, or puts its next version into the place of the one before.

    Raises Stale where another change came first, Conflict where one of its names is another vendor's.
    """
    row = (vendor.id, vendor.name, vendor.aliases, vendor.version)
    if vendor.version == 1:
        await conn.execute("INSERT INTO vendors (id, name, aliases, version) VALUES ($1, $2, $3, $4)", *row)
    else:
        done = await conn.execute(
            "UPDATE vendors SET name = $2, aliases = $3, version = $4 WHERE id = $1 AND version = $4 - 1", *row
        )
        _check_done(done, f"vendor {vendor.id}")
    await conn.execute("DELETE FROM vendor_spellings WHERE vendor_id = $1", vendor.id)
    spellings = [spelling_of_vendor(name) for name in (vendor.name, *vendor.aliases)]
    try:
        await conn.execute(
            "INSERT INTO vendor_spellings (spelling, vendor_id) SELECT unnest($1::text[]), $2", spellings, vendor.id
        )
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(f"a name or alias of {vendor.name} is that of another vendor") from exc


async def upsert_product(conn: Connection, product: Product) -> None:
    """Adds a product, or puts its next version into the place of the one before.

    Raises Stale, NotFound without its vendor, Conflict where the vendor has another product of one of its names.
    """
    row = product.model_dump(mode="json", exclude={"site_id"})
    values = [row[column] for column in _PRODUCT]
    if product.version == 1:
        async with _own_errors(f"vendor {product.vendor_id}", ""):
            await conn.execute(_INSERT_PRODUCT, *values)
    else:
        _check_done(await conn.execute(_UPDATE_PRODUCT, *values), f"product {product.id}")
    await conn.execute("DELETE FROM product_spellings WHERE product_id = $1", product.id)
    spellings = [spelling_of_product(name) for name in (product.name, *product.aliases)]
    async with _own_errors(f"vendor {product.vendor_id}", "the vendor has another product of that name or alias"):
        await conn.execute(
            """INSERT INTO product_spellings (vendor_id, product_id, spelling)
               SELECT $1, $2, unnest($3::text[])""",
            product.vendor_id,
            product.id,
            spellings,
        )


_PRODUCT = ("id", "vendor_id", "name", "aliases", "type", "cpe", "purl", "support", "version")
_INSERT_PRODUCT = """INSERT INTO products (id, vendor_id, name, aliases, type, cpe, purl, support, version)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_UPDATE_PRODUCT = """UPDATE products SET name = $3, aliases = $4, type = $5, cpe = $6, purl = $7, support = $8,
                                         version = $9
                     WHERE id = $1 AND vendor_id = $2 AND version = $9 - 1"""


async def upsert_version(conn: Connection, version: ProductVersion) -> None:
    """Adds a product's version, or puts its next state into the place of the one before.

    Raises Stale, NotFound without its product, Conflict where the product has that number already.
    """
    row = version.model_dump(exclude={"site_id", "support"}) | {"support": version.support.model_dump(mode="json")}
    values = [row[column] for column in ("id", "product_id", "number", "released_on", "support", "version")]
    async with _own_errors(f"product {version.product_id}", f"the product has a version {version.number} already"):
        done = await conn.execute(_INSERT_VERSION if version.version == 1 else _UPDATE_VERSION, *values)
    _check_done(done, f"version {version.id}")


_INSERT_VERSION = """INSERT INTO product_versions (id, product_id, number, released_on, support, version)
                     VALUES ($1, $2, $3, $4, $5, $6)"""
_UPDATE_VERSION = """UPDATE product_versions SET number = $3, released_on = $4, support = $5, version = $6
                     WHERE id = $1 AND product_id = $2 AND version = $6 - 1"""


async def select_vendor(conn: Connection, vendor_id: str) -> Vendor:
    """One vendor. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM vendors WHERE id = $1", vendor_id)
    return Vendor.model_validate(dict(found(row, f"vendor {vendor_id}")))


async def select_vendor_called(conn: Connection, name: str) -> Vendor | None:
    """The vendor that goes by a name, in whatever spelling of it."""
    row = await conn.fetchrow(
        "SELECT v.* FROM vendor_spellings s JOIN vendors v ON v.id = s.vendor_id WHERE s.spelling = $1",
        spelling_of_vendor(name),
    )
    return Vendor.model_validate(dict(row)) if row else None


async def select_vendors(conn: Connection, search: str | None, after: str | None, limit: int) -> list[Vendor]:
    """Vendors by id behind ``after``, those of which a name has ``search`` in it."""
    rows = await conn.fetch(
        """SELECT * FROM vendors v
           WHERE ($1::text IS NULL OR EXISTS (SELECT FROM vendor_spellings s
                                              WHERE s.vendor_id = v.id AND strpos(s.spelling, $1) > 0))
             AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3""",
        None if search is None else spelling_of_vendor(search),
        after,
        limit,
    )
    return [Vendor.model_validate(dict(row)) for row in rows]


async def select_product(conn: Connection, product_id: str) -> Product:
    """One product. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM products WHERE id = $1", product_id)
    return Product.model_validate(dict(found(row, f"product {product_id}")))


async def select_makers(conn: Connection, spellings: Collection[str], product_ids: Collection[str]) -> Makers:
    """The vendors of these spellings with all that each has, and those of these products."""
    rows = await conn.fetch(
        """WITH made AS (SELECT id, vendor_id FROM products WHERE id = ANY($2)),
                meant AS (SELECT vendor_id FROM vendor_spellings WHERE spelling = ANY($1)
                          UNION SELECT vendor_id FROM made)
           SELECT vendor_id, spelling, NULL AS product_id FROM vendor_spellings JOIN meant USING (vendor_id)
           UNION ALL SELECT vendor_id, NULL, id FROM made""",
        list(spellings),
        list(product_ids),
    )
    return Makers(
        spellings={row["spelling"]: row["vendor_id"] for row in rows if row["spelling"] is not None},
        products={row["product_id"]: row["vendor_id"] for row in rows if row["product_id"] is not None},
    )


async def select_product_called(conn: Connection, vendor_id: str, name: str) -> Product | None:
    """The product of a vendor that goes by a name, in whatever spelling of it."""
    row = await conn.fetchrow(
        """SELECT p.* FROM product_spellings s JOIN products p ON p.id = s.product_id
           WHERE s.vendor_id = $1 AND s.spelling = $2""",
        vendor_id,
        spelling_of_product(name),
    )
    return Product.model_validate(dict(row)) if row else None


async def select_products(
    conn: Connection,
    vendor_id: str | None,
    kind: ProductType | None,
    search: str | None,
    after: str | None,
    limit: int,
) -> list[Product]:
    """Products by id behind ``after``, those of which a name has ``search`` in it."""
    rows = await conn.fetch(
        """SELECT * FROM products p
           WHERE ($1::text IS NULL OR vendor_id = $1) AND ($2::text IS NULL OR type = $2)
             AND ($3::text IS NULL OR EXISTS (SELECT FROM product_spellings s
                                              WHERE s.product_id = p.id AND strpos(s.spelling, $3) > 0))
             AND ($4::text IS NULL OR id > $4) ORDER BY id LIMIT $5""",
        vendor_id,
        kind,
        None if search is None else spelling_of_product(search),
        after,
        limit,
    )
    return [Product.model_validate(dict(row)) for row in rows]


async def select_version(conn: Connection, version_id: str) -> ProductVersion:
    """One version of a product. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM product_versions WHERE id = $1", version_id)
    return ProductVersion.model_validate(dict(found(row, f"version {version_id}")))


async def select_versions(
    conn: Connection, product_id: str | None, after: str | None = None, limit: int | None = None
) -> Sequence[ProductVersion]:
    """Versions, of one product or of all, by id behind ``after``; all of them without a ``limit``."""
    rows = await conn.fetch(
        """SELECT * FROM product_versions
           WHERE ($1::text IS NULL OR product_id = $1) AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3""",
        product_id,
        after,
        limit,
    )
    return [ProductVersion.model_validate(dict(row)) for row in rows]


def _check_done(done: str, what: str) -> None:
    if done.endswith(" 0"):
        raise Stale(f"{what} was changed by somebody else; get it again")


@asynccontextmanager
async def _own_errors(parent: str, taken: str) -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(taken) from exc
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(f"no {parent}") from exc
