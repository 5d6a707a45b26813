"""Canonical JSON (RFC 8785): one form of bytes for one value, so that a digest of the bytes is one of the value."""

import json
from hashlib import sha256
from typing import Any

import rfc8785

from shared.errors import StewardError


class NotCanonical(StewardError):
    """The bytes are no canonical JSON."""


def encode(value: Any) -> bytes:
    """The one form of a value. Raises NotCanonical for what JSON can't carry to everybody, such as 2^53."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError) as exc:
        raise NotCanonical(f"has no canonical form: {exc}") from exc


def decode(raw: bytes) -> Any:
    """The value. Raises NotCanonical unless the bytes are its one form: no space, no name twice, no other order."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise NotCanonical(f"is no JSON: {exc}") from exc
    if encode(value) != raw:
        raise NotCanonical("is not in its canonical form (RFC 8785)")
    return value


def digest(raw: bytes) -> str:
    """SHA-256 in hex."""
    return sha256(raw).hexdigest()
