"""Wires inventory."""

import uvloop

from services.inventory.assets import consumer as assets_consumer
from services.inventory.assets.api import router as assets
from services.inventory.components.api import router as components
from services.inventory.contracts.api import router as contracts
from services.inventory.contracts.schedule import ContractSchedule
from services.inventory.custody.api import router as custody
from services.inventory.documents.api import router as documents
from services.inventory.documents.api import uploads_router as document_uploads
from services.inventory.documents.upload import Limits
from services.inventory.dossier import consumer as dossier_consumer
from services.inventory.dossier.api import router as dossiers
from services.inventory.endoflife import consumer as endoflife_consumer
from services.inventory.endoflife.api import router as ends_of_life
from services.inventory.endoflife.schedule import EndOfLifeSchedule
from services.inventory.evidence import consumer as evidence_consumer
from services.inventory.evidence.api import router as evidence
from services.inventory.exports.api import router as exports
from services.inventory.fields.api import router as fields
from services.inventory.groups.api import router as groups
from services.inventory.history.api import router as history
from services.inventory.imports.api import router as imports
from services.inventory.imports.api import uploads_router as import_uploads
from services.inventory.imports.schedule import ImportSchedule
from services.inventory.lifecycle.api import router as lifecycle
from services.inventory.links.api import router as links
from services.inventory.people.api import router as people
from services.inventory.policies.api import router as policies
from services.inventory.recyclers.api import router as recyclers
from services.inventory.settings import InventorySettings
from services.inventory.sites.api import router as sites
from services.inventory.software.api import router as software
from services.inventory.software.handlers import INSPECTORS
from services.inventory.software.schedule import SoftwareSchedule
from services.inventory.usage import consumer as usage_consumer
from services.inventory.usage.api import router as usage
from services.inventory.vendors.api import router as vendors
from services.inventory.waivers.api import router as waivers
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: InventorySettings) -> Service:
    """Inventory over its database."""
    return Service(
        name="inventory",
        routers=[
            groups,
            sites,
            fields,
            components,
            assets,
            usage,
            lifecycle,
            evidence,
            waivers,
            policies,
            people,
            vendors,
            contracts,
            links,
            history,
            documents,
            document_uploads(Limits(settings.inventory_document_bytes), INSPECTORS),
            software,
            imports,
            import_uploads(Limits(settings.inventory_import_bytes)),
            exports,
            ends_of_life,
            recyclers,
            custody,
            dossiers,
        ],
        handlers=[
            assets_consumer.HANDLERS,
            usage_consumer.HANDLERS,
            evidence_consumer.HANDLERS,
            dossier_consumer.HANDLERS,
            endoflife_consumer.HANDLERS,
        ],
        work={
            "ends of life": EndOfLifeSchedule(pool).run,
            "contracts": ContractSchedule(pool).run,
            "software": SoftwareSchedule(pool).run,
            "imports": ImportSchedule(pool).run,
        },
    )


def main() -> None:
    """Runs inventory alone."""
    settings = load(InventorySettings)
    uvloop.run(run_alone("inventory", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
