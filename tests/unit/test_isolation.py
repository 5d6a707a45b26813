"""What a unit test may not touch."""

import socket

import pytest


def test_a_unit_test_cannot_open_a_network_socket() -> None:
    with pytest.raises(UserWarning, match="tried to use socket"):
        socket.socket(socket.AF_INET)
