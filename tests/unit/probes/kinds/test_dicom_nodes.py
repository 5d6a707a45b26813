"""What a check of any DICOM kind may say of its node."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.probes.checks.domain import valid_settings
from services.probes.kinds import KINDS
from services.probes.kinds.dicom_nodes import DicomNode
from services.probes.kinds.domain import Kind

NODE = {"host": "pacs.example.org", "port": 104, "ae_title": "PACS"}
DICOM_KINDS = [kind for kind in KINDS if kind.name.startswith("dicom-")]

every_kind = pytest.mark.parametrize("kind", DICOM_KINDS, ids=lambda kind: kind.name)


@every_kind
@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"host": "two words"},
        {"port": -5},
        {"port": 65_536},
        {"ae_title": "x" * 40},
        {"ae_title": ""},
        {"ae_title": "A\\B"},
        {"calling_ae_title": "x" * 17},
        {"tls": {"password": "in the open"}},
        {"user": {"name": ""}},
        {"prot": 104},
    ],
    ids=str,
)
def test_what_no_node_can_have_is_refused(kind: type[Kind[Any]], wrong: dict[str, Any]) -> None:
    """Hosts, ports and AE titles have bounds, and nothing unknown is passed over."""
    with pytest.raises(ValidationError):
        kind.settings.model_validate(NODE | wrong)


@every_kind
def test_every_kind_may_call_as_somebody_and_through_tls(kind: type[Kind[Any]]) -> None:
    """The settings of the node are the same for all; a port that came as text is a number."""
    own = {"calling_ae_title": "CT_1", "tls": {"ca": "ca.pem"}, "user": {"name": "ward", "passcode": "ward-key"}}
    kept = valid_settings(kind, NODE | own | {"port": "104"})
    assert issubclass(kind.settings, DicomNode)
    assert kept["port"] == 104
    assert (kept["calling_ae_title"], kept["user"]["passcode"], kept["tls"]["ca"]) == ("CT_1", "ward-key", "ca.pem")
