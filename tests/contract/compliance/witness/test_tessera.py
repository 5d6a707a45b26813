"""Tessera v1.0.4 has its logs witnessed by ours: its client of tlog-witness, its proofs, its check of cosignatures."""

from pathlib import Path

import pytest

from services.compliance.checkpoints.cosignature import CosignatureKey, open_cosigned
from tests.integration.compliance.witness.station import KEY, running, settings
from tests.parts.process import PartFailed
from tests.parts.tessera import grow_witnessed_log
from tests.small_log import key_of

LOG = key_of("tessera.example/log")


async def test_tessera_publishes_what_our_witness_has_cosigned(tmp_path: Path) -> None:
    """Also when it comes back, and learns from our answer where the witness stands."""
    witness = KEY.verifier
    assert isinstance(witness, CosignatureKey)
    async with running(settings(tmp_path / "state", logs=[LOG])) as station:
        for size, more in ((5, 5), (8, 3)):
            await grow_witnessed_log(tmp_path / "log", LOG.reveal(), str(witness), station.url, more)
            published = (tmp_path / "log/checkpoint").read_bytes()
            assert open_cosigned(published, [LOG.verifier], [witness], quorum=1).size == size
        assert await station.refused() == []


async def test_tessera_begins_no_second_history(tmp_path: Path) -> None:
    """A log that begins anew under the same key gets no cosignature, and so nothing of it is published."""
    async with running(settings(tmp_path / "state", logs=[LOG])) as station:
        key = str(KEY.verifier)
        await grow_witnessed_log(tmp_path / "log", LOG.reveal(), key, station.url, 1)
        with pytest.raises(PartFailed, match="witness policy was not satisfied"):
            await grow_witnessed_log(tmp_path / "other", LOG.reveal(), key, station.url, 1)
    assert not (tmp_path / "other/checkpoint").exists()
