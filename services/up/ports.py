"""Ports on loopback that are kept from one run to the next."""

import socket


def same_or_free_port(wanted: int) -> int:
    """The port that was had before if nobody has taken it, else one that is free; 0 had none."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    raise OSError("no port is free on this machine")
