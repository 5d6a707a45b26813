"""Which mail addresses Steward takes: inventory accepts what notifier can put on the wire, and nothing else."""

import re

import idna

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]")
_ASCII_DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def wire_address(address: str) -> str | None:
    """The address with its domain in A-labels (RFC 5891), or None if it can't be one.

    The local part stays as it is; where it is not ASCII, the server has to offer SMTPUTF8 (RFC 6531). Quoted local
    parts and address literals are refused: no hospital uses them, and they are how commands are smuggled.
    """
    local, _, domain = address.strip().rpartition("@")
    if not _is_dot_atom(local) or len(local.encode("utf-8", "replace")) > 64:
        return None
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None
    return f"{local}@{ascii_domain}" if _ASCII_DOMAIN.fullmatch(ascii_domain) else None


def _is_dot_atom(local: str) -> bool:
    return all(atom and all(_is_atom_character(char) for char in atom) for atom in local.split("."))


def _is_atom_character(char: str) -> bool:
    return bool(_ATOM.fullmatch(char)) if char.isascii() else char.isprintable() and not char.isspace()
