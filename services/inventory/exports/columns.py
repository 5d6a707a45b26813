"""The columns of each kind of thing: what an export writes, and what an import takes. Pure."""

from collections.abc import Mapping, Sequence

from services.inventory.exports.cells import Column

AN_ID = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"
NO_FIELD = "-"
"""Of a column that only helps to find what another one names."""

ID = Column("id", AN_ID)
SITE = Column("site", "north", field="site_id", needed=True)
STATE = Column("state", "in_service")
START = "start_"
"""Before the name of a column that says something of what an import makes, and nothing of what is there."""

START_STATE = Column(f"{START}state", "proposed", field=NO_FIELD)
START_NAME = Column(f"{START}name", "CT 2, radiology", field=NO_FIELD)
SUPPORT = (
    Column("support", "ends_on"),
    Column("support_ends_on", "2028-12-31", "day"),
    Column("support_source", "Lifecycle notice LN-2025-11"),
    Column("support_stated_on", "2025-11-03", "day"),
)
FIELD = "field."
"""Before the name of a custom field of components."""


def field_column(name: str) -> Column:
    """The column of a custom field; what its cells must be, its definition says."""
    return Column(FIELD + name, "4")


COLUMNS: Mapping[str, Sequence[Column]] = {
    "groups": (
        ID,
        Column("name", "Western region", needed=True),
        Column("parent", "All hospitals", field="parent_id", refers="group"),
    ),
    "sites": (
        Column("id", "north", needed=True),
        Column("name", "Northfield General Hospital", needed=True),
        Column("time_zone", "Europe/Berlin", needed=True),
        Column("latitude", "54.7833", "decimal"),
        Column("longitude", "9.4333", "decimal"),
        Column("gateway", "10.20.0.1"),
        Column("group", "Western region", field="group_id", refers="group"),
        Column("address", "1 Harbour Road, Northfield"),
    ),
    "vendors": (ID, Column("name", "Northlight Imaging GmbH", needed=True), Column("aliases", "Nordlicht", "list")),
    "products": (
        ID,
        Column("vendor", "Northlight Imaging", field="vendor_id", refers="vendor", needed=True),
        Column("name", "Archive One", needed=True),
        Column("type", "system", needed=True),
        Column("aliases", "ArchiveOne|A1", "list"),
        Column("cpe", "cpe:2.3:a:northlight:archive_one:*:*:*:*:*:*:*:*"),
        Column("purl", "pkg:generic/archive-one"),
        *SUPPORT,
    ),
    "product_versions": (
        ID,
        Column("vendor", "Northlight Imaging", field=NO_FIELD),
        Column("product", "Archive One", field="product_id", refers="product", needed=True),
        Column("number", "5.2.1", needed=True),
        Column("released_on", "2024-05-14", "day"),
        *SUPPORT,
    ),
    "fields": (
        ID,
        Column("component_type", "server", needed=True),
        Column("name", "rack_units", needed=True),
        Column("label", "Height in the rack", needed=True),
        Column("kind", "number", needed=True),
        Column("required", "false", "flag"),
        Column("unit", "U"),
        Column("minimum", "1", "decimal"),
        Column("maximum", "50", "decimal"),
        Column("choices", "yes|no", "list"),
    ),
    "systems": (
        ID,
        SITE,
        Column("name", "North archive", needed=True),
        Column("vendor", "Northlight Imaging", field="software.vendor", needed=True),
        Column("product", "Archive One", field="software.product", needed=True),
        Column("version", "5.2.1", field="software.version", needed=True),
        Column("environment", "production"),
        Column("deployment", "on_premises"),
        Column("mirrors", "North archive", refers="system"),
        STATE,
        START_STATE,
    ),
    "nodes": (
        ID,
        Column("site", "north", field="site_id"),
        Column("system", "North archive", field="system_id", refers="system", needed=True),
        Column("name", "CT 2, radiology", needed=True),
        Column("ae_title", "CT2_NORTH", needed=True),
        Column("host", "ct2.north.example.org", needed=True),
        Column("port", "104", "integer", needed=True),
        Column("role", "modality"),
        START_NAME,
        Column("cluster", "storage"),
        Column("cluster_role", "member"),
        STATE,
        START_STATE,
    ),
    "components": (
        ID,
        SITE,
        Column("type", "drive", needed=True),
        Column("name", "Bay 4", needed=True),
        Column("system", "North archive", field="system_id", refers="system"),
        Column("installed_in", "Archive server 1", refers="component"),
        Column("manufacturer", "Seaquest"),
        Column("model", "SQ 18"),
        Column("product", "SQ 18", field="product_id", refers="product"),
        Column("serial", "QB-7781-204"),
        Column("asset_tag", "NGH-004711"),
        Column("software_version", "3.1.0"),
        Column("host", "ups1.north.example.org"),
        Column("purchase_date", "2024-05-14", "day"),
        Column("installed_on", "2024-06-01", "day"),
        Column("warranty_until", "2027-05-14", "day"),
        Column("capacity_bytes", "18000000000000", "integer"),
        Column("media_type", "hdd"),
        Column("raid_level", "6"),
        STATE,
        START_STATE,
    ),
    "links": (
        ID,
        Column("site", "north", field=NO_FIELD),
        Column("kind", "depends_on", needed=True),
        Column("from", "CT 2, radiology", field="from_id", refers="asset", needed=True),
        Column("to", "North archive", field="to_id", refers="asset", needed=True),
        Column("to_site", "south", field=NO_FIELD),
        Column("from_port", "eth0", field="cable.from_port"),
        Column("to_port", "Gi1/0/14", field="cable.to_port"),
        Column("cable_label", "N-0114", field="cable.label"),
        Column("cable_length_m", "3.5", "decimal", field="cable.length_m"),
        Column("services", "storage|query", "list"),
        Column("note", "keeps its worklist there"),
    ),
    "contracts": (
        ID,
        SITE,
        Column("kind", "support", needed=True),
        Column("vendor", "Northlight Imaging", field="vendor_id", refers="vendor", needed=True),
        Column("number", "SUP-2026-114", needed=True),
        Column("starts", "2026-01-01", "day", needed=True),
        Column("ends", "2028-12-31", "day"),
        Column("review_on", "2028-12-31", "day"),
        Column("assets", "North archive|CT 2, radiology", "list", field="asset_ids", refers="assets"),
        Column("notice_days", "90", "integer"),
        Column("contact", '{"name":"Ada Berg","email":"ada.berg@north.example.org"}', "json"),
        Column("escalation", '[{"name":"Service desk","phone":"+31 20 555 0100"}]', "json"),
        Column("document", AN_ID, field="document_id"),
        Column("renewed_by", AN_ID),
        Column("let_lapse", "false", "flag"),
    ),
    "people": (
        ID,
        SITE,
        Column("name", "Ada Berg", needed=True),
        Column("email", "ada.berg@north.example.org", needed=True),
        Column("roles", "clinician|admin", "list", needed=True),
        Column("active", "true", "flag"),
        Column("phone", "+49 30 555 01-23"),
        Column("login", "ada.berg"),
        Column("employer", "Northlight Imaging", field="employer_id", refers="vendor"),
        Column("competences", '[{"name":"Archive One","level":"trained","since":"2025-04-01"}]', "json"),
    ),
    "usage": (
        Column("site", "north", field=NO_FIELD),
        Column("asset", "Bay 4", field="asset_id", refers="asset", needed=True),
        Column("counter", "power_on_hours", needed=True),
        Column("value", "31245", "decimal", needed=True),
        Column("at", "2026-03-01T22:00:00Z", "moment"),
    ),
}
"""The kinds that are imported and exported, each behind those that it refers to."""

ONLY_TOLD: Mapping[str, Sequence[Column]] = {
    "documents": (
        *(ID, Column("site", "north"), Column("kind", "manual"), Column("title", "Archive One: manual")),
        *(Column("version", "1", "integer"), Column("assets", AN_ID, "list"), Column("change", AN_ID)),
        *(Column("valid_until", "2027-12-31", "day"), Column("name", "manual.pdf"), Column("media_type", "text/plain")),
        *(Column("size", "48213", "integer"), Column("sha256", "2c26b46b"), Column("made_at", "", "moment")),
        Column("made_by", "alice"),
    ),
    "recyclers": (
        *(ID, Column("name", "Greenloop Recycling"), Column("certificates", "[]", "json")),
        Column("downstream", "Copperworks North", "list"),
    ),
    "approved_software": (
        *(ID, Column("site", "north"), Column("name", "PostgreSQL*"), Column("versions", ">=16, <18")),
        *(Column("software_type", "application"), Column("asset_type", "server"), Column("note", "")),
    ),
    "end_rules": (Column("type", "drive"), Column("rule", '{"max_age_months":48}', "json")),
    "replacement_orders": (
        *(ID, Column("site", "north"), Column("asset", AN_ID), Column("name", "Bay 4"), Column("type", "drive")),
        *(Column("state", "due"), Column("due", "2029-05-14", "day"), Column("order_by", "2029-02-14", "day")),
        *(Column("ground", "age"), Column("why", ""), Column("reference", "PO-2026-118")),
        *(Column("waived_until", "2027-03-31", "day"), Column("reason", "")),
    ),
    "transitions": (
        *(ID, Column("site", "north"), Column("asset", AN_ID), Column("from_state", "in_service")),
        *(Column("to_state", "retiring"), Column("reason", ""), Column("actor", "alice"), Column("at", "", "moment")),
    ),
    "evidence": (
        *(ID, Column("site", "north"), Column("asset", AN_ID), Column("kind", "needs_assessment")),
        *(Column("source", "document"), Column("what", "needs_assessment"), Column("reference", AN_ID)),
        *(Column("sha256", "2c26b46b"), Column("statement", ""), Column("role", "operator")),
        *(Column("covers", AN_ID, "list"), Column("at", "", "moment"), Column("valid_until", "", "moment")),
        *(Column("policy_version", "1", "integer"), Column("recorded_by", "alice")),
        *(Column("recorded_at", "", "moment"), Column("revoked_by", "bruno"), Column("revoked_at", "", "moment")),
        Column("revoked_reason", ""),
    ),
    "waivers": (
        *(ID, Column("site", "north"), Column("asset", AN_ID), Column("kind", "capacity_forecast")),
        *(Column("state", "approved"), Column("reason", ""), Column("expires_at", "", "moment")),
        *(Column("requested_by", "alice"), Column("requested_at", "", "moment"), Column("decided_by", "bruno")),
        *(Column("decided_at", "", "moment"), Column("decision_reason", "")),
    ),
    "custody": (
        *(ID, Column("site", "north"), Column("asset", AN_ID), Column("number", "1", "integer")),
        *(Column("kind", "picked_up"), Column("from_holder", "IT store"), Column("to_holder", "Greenloop Recycling")),
        *(Column("at", "", "moment"), Column("place", "Loading dock"), Column("seal", "S-20417")),
        *(Column("person", "Ada Berg"), Column("recycler", AN_ID), Column("recorded_by", "alice")),
        Column("recorded_at", "", "moment"),
    ),
    "disposals": (
        *(Column("site", "north"), Column("asset", AN_ID), Column("recycler", "Greenloop Recycling")),
        *(Column("reference", "GL-118"), Column("type", "drive"), Column("serial", "QB-7781-204")),
        *(Column("manufacturer", "Seaquest"), Column("model", "SQ 18"), Column("weight_kg", "0.72", "decimal")),
        *(Column("category", "it_equipment"), Column("recorded_by", "alice"), Column("recorded_at", "", "moment")),
    ),
}
"""What is exported only, and what no list can bring back."""
