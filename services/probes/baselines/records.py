"""What was learned of a measure, as it is shown."""

from pydantic import Field

from shared.events import Instant
from shared.resource import Resource


class Learned(Resource):
    """What is usual for a measure of a probe. ``median`` and ``mad`` are of the values of all hours of the week.

    The version is the instant of the last value that was learned, so that a new one makes a new ETag.
    """

    id: str = Field(description="the probe, and behind a / the measure", examples=["tcp:0197f2a4/tcp"])
    probe_id: str
    measure: str = Field(examples=["bytes_per_second"])
    check: str = Field(examples=["dicom-retrieve"])
    subject: str
    asset_name: str = Field(examples=["north-pacs"])
    site_id: str = Field(examples=["north"])
    system_id: str | None
    values: int = Field(description="values that were learned and are kept, of all hours together")
    hours: int = Field(description="hours of the week of which values were learned, of 168")
    median: float
    mad: float = Field(description="the median of the values' distances from it")
    learned_at: Instant
