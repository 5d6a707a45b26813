"""What is no text is no parameter."""

import pytest

from shared.errors import Malformed
from shared.http.call import refuse_unreadable


@pytest.mark.parametrize("query", [b"", b"actor=anna", b"text=K%C3%B6ln+and%20more&a=%26&b", b"a=100%&b=%zz", b"a=%00"])
def test_percent_encoded_utf_8_is_read(query: bytes) -> None:
    """Whatever it says; what is no percent-encoding stands for itself."""
    refuse_unreadable(query)


@pytest.mark.parametrize("value", [b"%FF", b"a%C3", b"%C3&b=%B6", b"%ED%A0%80", b"K\xc3\xb6ln", b"\xff"])
def test_other_bytes_are_refused(value: bytes) -> None:
    """Also UTF-8 as it is, which would be read as Latin-1; the parameter is named."""
    with pytest.raises(Malformed, match=r"^text: must be percent-encoded UTF-8, for example K%C3%B6ln$"):
        refuse_unreadable(b"actor=anna&text=" + value)
