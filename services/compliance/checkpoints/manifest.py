"""The manifest: the last entry below a checkpoint, which says how many entries each site has.

Its event holds the RFC 6962 root over the lines ``site-id SP head`` of all sites, sorted, where ``head`` is the number
of the site's entries up to and with the manifest. So one site's line is proved by the hashes of others, and with it
that the site's entries 0 to ``head`` - 1 are all there are. A hash does not hide so short a line from who guesses it
(decision 14).
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime

from services.compliance.log.entry import format_time
from services.compliance.log.hashing import fold, leaf_hashes
from services.compliance.log.tree import EMPTY_ROOT
from shared.events import GROUP

TYPE = "log.manifest"
ACTOR = "service:compliance"
SUBJECT = "log"


def site_line(site_id: str, head: int) -> bytes:
    """The leaf that tells of one site."""
    return b"%s %d" % (site_id.encode(), head)


def site_lines(heads: Mapping[str, int]) -> list[bytes]:
    """The leaves of all sites, in their order. Sites without an entry have none."""
    return [site_line(site_id, head) for site_id, head in sorted(heads.items()) if head]


def sites_root(lines: list[bytes]) -> bytes:
    """The root over the lines."""
    return fold(leaf_hashes(lines)) or EMPTY_ROOT


def manifest_event(heads: Mapping[str, int], *, event_id: str, time: datetime) -> bytes:
    """The event of a manifest over ``heads``, which count the manifest itself. It never was on the bus."""
    lines = site_lines(heads)
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/services/compliance",
        "type": TYPE,
        "subject": SUBJECT,
        "time": format_time(time),
        "dataschema": f"urn:steward:{TYPE}:1",
        "datacontenttype": "application/json",
        "siteid": GROUP,
        "actor": ACTOR,
        "correlationid": event_id,
        "data": {"sites": len(lines), "root": b64encode(sites_root(lines)).decode()},
    }
    return json.dumps(event, separators=(",", ":")).encode()
