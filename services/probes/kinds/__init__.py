"""Kinds: what a probe can ask. A new one is a file here and its class in ``KINDS``."""

from typing import Any

from services.probes.kinds.dicom_echo import DicomEcho
from services.probes.kinds.domain import Kind

KINDS: tuple[type[Kind[Any]], ...] = (DicomEcho,)
