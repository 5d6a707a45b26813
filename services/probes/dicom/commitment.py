"""Storage Commitment, Push Model (PS3.4 Annex J)."""

from dataclasses import dataclass

COMMITMENT_PUSH_MODEL = "1.2.840.10008.1.20.1"


@dataclass(frozen=True, slots=True)
class Commitment:
    """The outcome of a request (PS3.4 §J.3.3): (SOP class, SOP instance) of each, failed ones with their reason."""

    transaction_uid: str
    committed: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str, int], ...]

    @property
    def is_complete(self) -> bool:
        """Whether the peer took responsibility for every instance."""
        return not self.failed
