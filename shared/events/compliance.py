"""Events of compliance: who may do what."""

from shared.events.contract import EventData, Instant


class KeyChanged(EventData, event_type="key.changed", compacted=True, partitions=1):
    """An API key's full state; the subject is its id. ``sha256`` is the digest of the secret, never the secret."""

    name: str
    sha256: str
    grants: list[str]
    expires_at: Instant
    revoked_at: Instant | None = None
