"""The README's example of the user agent works as it stands."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from demo.images import make_study
from services.probes.dicom import Context, Peer, associate
from tests.parts.pynetdicom_archive import STUDY_ROOT_GET, PynetdicomArchive
from tests.source import ROOT

NAMES = {
    "CTImageStorage": CTImageStorage,
    "Context": Context,
    "Dataset": Dataset,
    "Peer": Peer,
    "STUDY_ROOT_GET": STUDY_ROOT_GET,
    "associate": associate,
}


def example() -> Callable[[Peer, Peer, str], Awaitable[list[int]]]:
    """The function of the README's Python block."""
    found = re.search(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    names: dict[str, Any] = dict(NAMES)
    exec(found[1], names)  # noqa: S102 -- it is what the README shows
    return cast(Callable[[Peer, Peer, str], Awaitable[list[int]]], names["copy_study"])


async def test_a_study_is_copied_from_one_archive_to_another(tmp_path: Path) -> None:
    images = make_study("readme", datetime(2026, 3, 1, tzinfo=UTC), images=2)
    with PynetdicomArchive(tmp_path / "one", "ONE") as one, PynetdicomArchive(tmp_path / "two", "TWO") as two:
        source, target = (Peer("127.0.0.1", part.port, part.ae_title) for part in (one, two))
        async with associate(source, [Context(CTImageStorage)]) as assoc:
            for image in images:
                await assoc.store(image)
        assert await example()(source, target, images[0].StudyInstanceUID) == [0x0000, 0x0000]
