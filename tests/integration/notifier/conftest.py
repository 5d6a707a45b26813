"""A stage for each test of notifier."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.integration.conftest import Run, Speak
from tests.integration.notifier.stage import Stage, staged
from tests.parts.smtp import SmtpServer

Open = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture
def stage(run: Run, speak: Speak, mail_server: SmtpServer) -> Open:
    """``async with stage(**settings) as on``: notifier runs, and can be killed and started again."""

    def start(**settings: Any) -> AbstractAsyncContextManager[Stage]:
        return staged(run, speak, mail_server, **settings)

    return start
