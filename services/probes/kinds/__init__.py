"""Kinds: what a probe can ask. A new one is a file here and its row in ``KINDS``."""

from collections.abc import Mapping
from typing import Any

from services.probes.kinds.command import Command
from services.probes.kinds.database import Database
from services.probes.kinds.dicom_commitment import DicomCommitment
from services.probes.kinds.dicom_echo import DicomEcho
from services.probes.kinds.dicom_find import DicomFind
from services.probes.kinds.dicom_retrieve import DicomRetrieve
from services.probes.kinds.dicom_roundtrip import DicomRoundtrip
from services.probes.kinds.dicomweb import Dicomweb
from services.probes.kinds.domain import Kind, Nature
from services.probes.kinds.http import Http
from services.probes.kinds.ntp import Ntp
from services.probes.kinds.prometheus import Prometheus
from services.probes.kinds.redfish import Redfish
from services.probes.kinds.snmp import Snmp
from services.probes.kinds.tcp import Tcp
from services.probes.kinds.tls import Tls
from services.probes.kinds.web_login import WebLogin

KINDS: tuple[type[Kind[Any]], ...] = (
    *(DicomEcho, DicomFind, DicomRoundtrip, DicomRetrieve, DicomCommitment),
    *(Tcp, Tls, Http, Dicomweb, WebLogin),
    *(Database, Snmp, Redfish, Prometheus, Ntp, Command),
)

NATURES: Mapping[str, Nature] = {kind.name: kind.nature() for kind in KINDS}
"""What alerts know of each kind, by its name."""


def nature_of(kind: str) -> Nature:
    """What alerts know of a kind; nothing of one that this version does not have."""
    return NATURES.get(kind, Nature())


FOR_EVERY_NODE = tuple(kind for kind in KINDS if "settings_for" in vars(kind))
"""Kinds that a DICOM node gets a probe of without being asked for."""
