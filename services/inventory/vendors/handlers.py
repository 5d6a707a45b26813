"""Commands on vendors, products and their versions, and what the other capabilities ask of them."""

from collections.abc import Collection

from services.inventory.history.handlers import keep
from services.inventory.vendors import store
from services.inventory.vendors.domain import (
    Product,
    ProductDetails,
    ProductVersion,
    SupportEnd,
    SupportUnknown,
    Vendor,
    VendorDetails,
    VersionDetails,
    support_among,
)
from services.inventory.vendors.names import Makers, distinct, spelling_of_vendor
from shared.database import Connection
from shared.errors import Malformed
from shared.events.inventory import ProductChanged, ProductVersionChanged, VendorChanged
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def register_vendor(tx: Transaction, details: VendorDetails, as_id: str | None = None) -> Vendor:
    """Adds a vendor, under the id that it had elsewhere if one is given.

    Raises Conflict where one of its names is another vendor's in any spelling.
    """
    return await _save_vendor(tx, None, _vendor(as_id or new_id(), details, 1))


async def change_vendor(tx: Transaction, vendor_id: str, expected_version: int, details: VendorDetails) -> Vendor:
    """Replaces all about a vendor. Raises NotFound, Stale, Conflict."""
    old = await store.select_vendor(tx.conn, vendor_id)
    check_version(f"vendor {vendor_id}", old, expected_version)
    return await _save_vendor(tx, old, _vendor(vendor_id, details, old.version + 1))


async def register_product(tx: Transaction, details: ProductDetails, as_id: str | None = None) -> Product:
    """Adds a product of a vendor, under the id that it had elsewhere if one is given.

    Raises NotFound, Conflict where the vendor has one of that name in any spelling.
    """
    return await _save_product(tx, None, _product(as_id or new_id(), details, 1))


async def change_product(tx: Transaction, product_id: str, expected_version: int, details: ProductDetails) -> Product:
    """Replaces all about a product but its vendor. Raises NotFound, Stale, Conflict, Malformed."""
    old = await store.select_product(tx.conn, product_id)
    check_version(f"product {product_id}", old, expected_version)
    if details.vendor_id != old.vendor_id:
        raise Malformed("vendor_id", "stays as it is; whoever bought the product is an alias", old.vendor_id)
    return await _save_product(tx, old, _product(product_id, details, old.version + 1))


async def register_version(tx: Transaction, details: VersionDetails, as_id: str | None = None) -> ProductVersion:
    """Adds a version of a product, under the id that it had elsewhere if one is given.

    Raises NotFound, Conflict where the product has that number.
    """
    return await _save_version(tx, None, ProductVersion(id=as_id or new_id(), version=1, **dict(details)))


async def change_version(
    tx: Transaction, version_id: str, expected_version: int, details: VersionDetails
) -> ProductVersion:
    """Replaces all about a version but its product. Raises NotFound, Stale, Conflict, Malformed."""
    old = await store.select_version(tx.conn, version_id)
    check_version(f"version {version_id}", old, expected_version)
    if details.product_id != old.product_id:
        raise Malformed("product_id", "stays as it is", old.product_id)
    return await _save_version(tx, old, old.model_copy(update={**dict(details), "version": old.version + 1}))


async def find_vendor(conn: Connection, vendor_id: str) -> Vendor:
    """The vendor. Raises NotFound."""
    return await store.select_vendor(conn, vendor_id)


async def find_vendor_called(conn: Connection, name: str) -> Vendor | None:
    """The vendor that goes by a name, however it is spelled; None when no person has said that one does."""
    return await store.select_vendor_called(conn, name)


async def find_product(conn: Connection, product_id: str) -> Product:
    """The product. Raises NotFound."""
    return await store.select_product(conn, product_id)


async def makers_of(conn: Connection, names: Collection[str], product_ids: Collection[str]) -> Makers:
    """The vendors that go by these names with all their spellings, and those of these products, in one statement.

    It has those of the products that are in the catalogue; none is ever taken out of it.
    """
    return await store.select_makers(conn, {spelling_of_vendor(name) for name in names}, product_ids)


async def find_product_called(conn: Connection, vendor: str, product: str) -> Product | None:
    """The product that goes by a name at a vendor that goes by one."""
    maker = await store.select_vendor_called(conn, vendor)
    return await store.select_product_called(conn, maker.id, product) if maker else None


async def support_of(conn: Connection, product_id: str, version: str) -> SupportEnd:
    """Until when a version of a product is supported, as far as its vendor has said. Raises NotFound."""
    product = await store.select_product(conn, product_id)
    return support_among(product, await store.select_versions(conn, product_id), version)


async def support_of_called(conn: Connection, vendor: str, product: str, version: str) -> SupportEnd:
    """The same for what is known by name only, such as a system's software; unknown where the catalogue lacks it."""
    known = await find_product_called(conn, vendor, product)
    return await support_of(conn, known.id, version) if known else SupportUnknown()


def _vendor(vendor_id: str, details: VendorDetails, version: int) -> Vendor:
    aliases = distinct(details.name, details.aliases)
    return Vendor(id=vendor_id, name=details.name, aliases=aliases, version=version)


def _product(product_id: str, details: ProductDetails, version: int) -> Product:
    aliases = distinct(details.name, details.aliases, by_product=True)
    return Product(id=product_id, version=version, **dict(details) | {"aliases": aliases})


async def _save_vendor(tx: Transaction, old: Vendor | None, new: Vendor) -> Vendor:
    await store.upsert_vendor(tx.conn, new)
    await keep(tx, "vendor", old, new)
    told = VendorChanged(name=new.name, aliases=new.aliases, version=new.version)
    tx.record(told, subject=new.id, site_id=new.site_id)
    return new


async def _save_product(tx: Transaction, old: Product | None, new: Product) -> Product:
    await store.upsert_product(tx.conn, new)
    await keep(tx, "product", old, new)
    tx.record(ProductChanged.model_validate(new.model_dump()), subject=new.id, site_id=new.site_id)
    return new


async def _save_version(tx: Transaction, old: ProductVersion | None, new: ProductVersion) -> ProductVersion:
    await store.upsert_version(tx.conn, new)
    await keep(tx, "product_version", old, new)
    tx.record(ProductVersionChanged.model_validate(new.model_dump()), subject=new.id, site_id=new.site_id)
    return new
