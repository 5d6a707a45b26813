"""What kinds read of plugins, pages and packets, whatever is in them."""

import asyncio
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.probes.kinds.attempt import Ended
from services.probes.kinds.login_pages import login_form
from services.probes.kinds.ntp import decoded, judged
from services.probes.kinds.perfdata import first_line, measures_of

HTML = st.lists(
    st.sampled_from(
        [
            "<form",
            " id=login",
            ">",
            "<input",
            " type=password",
            " name=p",
            " name=u",
            " value='&amp;",
            "</form>",
            "é",
            "<!--",
        ]
    )
).map("".join)


@pytest.mark.parametrize(
    ("output", "measures"),
    [
        ("PING OK|rta=0.5ms;100;200;0 pl=20%;5;10", {"rta_seconds": 0.0005, "pl_ratio": 0.2}),
        ("DISK OK | /=3326MB;5948;5958;0;5968 /boot=68MB", {"root_bytes": 3326 * 1024**2, "boot_bytes": 68 * 1024**2}),
        ("OK | 'C:\\ free'=1GB 'it''s'=2 packets=7c", {"c_free_bytes": 1024**3, "it_s": 2, "packets_count": 7}),
        ("OK | a=1s\nlong text | b=2us\nc=3", {"a_seconds": 1, "b_seconds": 2e-6, "c": 3}),
        ("OK | a=U b=nan c=1e3 d=-4", {"c": 1000, "d": -4}),
        ("no numbers here", {}),
        ("", {}),
        ("|", {}),
        ("OK | =1 a= b", {}),
    ],
)
def test_numbers_of_a_plugin(output: str, measures: dict[str, float]) -> None:
    """In base units, under the label and its unit."""
    assert measures_of(output) == measures


def test_words_of_a_plugin_end_at_the_bar() -> None:
    """The first line alone."""
    assert first_line("DISK OK - free | /=1MB\nlong") == "DISK OK - free"
    assert first_line("\n") == ""


@given(st.text())
def test_any_output_is_read(output: str) -> None:
    """Numbers that can be kept come of it, or none."""
    assert all(math.isfinite(value) for value in measures_of(output).values())
    assert "\n" not in first_line(output)


async def test_form_keeps_its_hidden_fields() -> None:
    """A browser sends these, what is checked, and the one button that is pressed."""
    page = """<form name=search><input name=q></form>
    <form id=in action=/go><input type=hidden name=csrf value='a&amp;b'>
    <input type=checkbox name=stay value=1 checked><input type=checkbox name=news value=1>
    <input type=email name=user value=old><input type=password name=pass><button name=go value=1></button>
    <button name=no></button></form>"""
    form = await login_form(page, None)
    assert form is not None
    assert form.filled("ann", "secret", {}) == {
        **{"csrf": "a&b", "stay": "1", "user": "ann", "pass": "secret", "go": "1"}
    }
    search = await login_form(page, "search")
    assert search is not None
    with pytest.raises(LookupError, match="password"):
        search.filled("ann", "secret", {})


@given(HTML)
def test_any_page_is_read(page: str) -> None:
    """With a form that asks for a password, or none."""
    form = asyncio.run(login_form(page, None))
    assert form is None or form.password_fields


@given(st.binary(max_size=100), st.floats(0, 2**33))
def test_any_packet_is_judged(packet: bytes, now: float) -> None:
    """Ignored when it is too short, told as useless, or believed within its numbers."""
    answer = decoded(packet, near=now)
    if answer is None:
        assert len(packet) < 48
        return
    with suppress(Ended):
        seen = judged(answer, now, now + 0.01)
        assert all(math.isfinite(value) for value in seen.measures.values())


def test_time_beyond_2036_is_read() -> None:
    """NTP counts 2^32 seconds and begins anew; the era is the one that lies near (RFC 5905 §6)."""
    later = 2_085_978_496 + 1000
    packet = bytes(32) + (1000).to_bytes(4, "big") + bytes(4) + (1000).to_bytes(4, "big") + bytes(4)
    answer = decoded(packet, near=later)
    assert answer is not None
    assert answer.sent == later
