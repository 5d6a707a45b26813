"""The storage SOP classes that an archive of the simulated group takes (PS3.4 §B.5)."""

from pydicom.uid import UID

_STORAGE = "1.2.840.10008.5.1.4.1.1."

KEPT = tuple(
    UID(_STORAGE + part)
    for part in (
        *("1", "1.1", "1.1.1", "1.2", "1.2.1", "13.1.3"),  # CR, DX, MG with tomosynthesis
        *("2", "2.1", "4", "4.1", "128", "130", "20"),  # CT, MR, PT, NM
        *("3.1", "6.1", "12.1", "12.1.1", "12.2"),  # US, XA, RF
        *("7", "7.2", "7.4"),  # secondary capture
        *(
            "88.11",
            "88.22",
            "88.33",
            "88.67",
            "88.59",
            "11.1",
            "104.1",
        ),  # reports, key objects, presentation states, PDF
    )
)
"""Whatever usual modalities make."""
