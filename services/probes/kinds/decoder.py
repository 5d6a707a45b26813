"""A program that decodes an image: a DICOM file comes on its standard input, the pixels go to its standard output.

The codecs are C++ and read what a peer sent, so they run where a crash, a loop or a flood of memory ends nobody else.
It is started by its path and imports nothing of ours, so that it is ready in a tenth of a second.
"""

import resource
import sys
from io import BytesIO

from pydicom import dcmread
from pydicom.pixels.decoders.base import get_decoder

MEMORY = 1 << 30
SECONDS = 20
DAMAGED, NO_DECODER = 1, 3


def main() -> int:
    """The exit status: 0, ``DAMAGED`` for pixels that can't be decoded, ``NO_DECODER`` where none is here for them."""
    for limit, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (most, most))
    ds = dcmread(BytesIO(sys.stdin.buffer.read()))
    decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
    if not decoder.is_available:
        return NO_DECODER
    try:
        pixels, _ = decoder.as_buffer(ds)
    except Exception as exc:  # pydicom wraps whatever its plug-ins raise
        return NO_DECODER if "does not support" in str(exc) else DAMAGED
    sys.stdout.buffer.write(pixels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
