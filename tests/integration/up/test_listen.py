"""Where a service listens."""

import socket

import pytest

from shared.errors import WrongSetting
from shared.service import listen
from shared.settings import HttpSettings


def test_a_port_that_is_taken_is_named() -> None:
    """The person who chose it reads which it is, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WrongSetting, match=f"STEWARD_HTTP_PORT: nothing can listen on 127.0.0.1:{port}: "):
            listen(HttpSettings(http_port=port, oidc_jwks="/etc/steward/jwks.json"))
