"""The HTTP side that all services share: problems, access, idempotency, versions, pages, the application."""

from shared.http.app import mount_services, service_app
from shared.http.call import Call, IfMatch, requires
from shared.http.pages import Page, Paging
from shared.resource import Body, Resource

__all__ = ["Body", "Call", "IfMatch", "Page", "Paging", "Resource", "mount_services", "requires", "service_app"]
