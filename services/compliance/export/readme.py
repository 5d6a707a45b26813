"""What stands in a package of evidence for the person who opens it."""

from collections.abc import Sequence

from services.compliance.export.evidence import Claim
from services.compliance.log.entry import format_time

BY_HAND = """\
import base64, hashlib, json

def node(left, right):
    return hashlib.sha256(b"\\x01" + left + right).digest()

subtrees = []
for line in open("entries.ndjson", encoding="utf-8", newline="\\n"):
    part = json.loads(line)
    if "entry" in part:
        level, value = 0, hashlib.sha256(b"\\x00" + part["entry"].encode()).digest()
    else:
        level, value = part["level"], base64.b64decode(part["hash"])
    while subtrees and subtrees[-1][0] == level:
        value = node(subtrees.pop()[1], value)
        level += 1
    subtrees.append((level, value))
root = subtrees.pop()[1]
while subtrees:
    root = node(subtrees.pop()[1], root)
print(base64.b64encode(root).decode())
"""

TEXT = """\
EVIDENCE FROM THE AUDIT LOG

Site:    {site_id}
From:    {start}
To:      {end} (not included)
Signed:  {size} entries of the log {origin}

This package holds every entry of this site that the audit log recorded in this period, and what is needed to check
that none was changed and none is missing. To check it, no network and no access to Steward is needed.

BELIEVE NOTHING IN HERE UNCHECKED, this text included: whoever can change the package can change it too. Above all,
take the log's public key, and those of its witnesses, from somebody you trust. keys.txt only shows which were in use.

Checking with two commands

With Steward's command, from a copy of Steward that you trust:

  steward log verify --evidence FILE.zip --key "THE LOG'S PUBLIC KEY"

and, to want the cosignature of a witness besides:

  steward log verify --evidence FILE.zip --key "THE LOG'S PUBLIC KEY" --witness "THE WITNESS'S PUBLIC KEY"

The answer names the site, the period and the number of entries, or the first thing that is wrong.

What the files are

  format.json     what the package claims to be about
  checkpoint      the size of the log and the root over all its entries, signed by the log and its witnesses, in the
                  format of c2sp.org/tlog-checkpoint
  head.json       how many entries the site had when that was signed, and the proof
  keys.txt        the public keys that were in use: information, no proof
  entries.ndjson  the log from its first entry to its last, a line each. A line with "entry" is an entry with its
                  exact text: site, number within the site, time of recording, a line feed, the event. A line with
                  "hash" stands for 2^level entries of other sites or times, which you do not see

Checking by hand

1. The signature. Any tool for signed notes (c2sp.org/signed-note) reads the file checkpoint. With openssl: the
   signature is the last 64 bytes of the Base64 behind the log's name, and it is over the lines before the empty line.
2. The root. This program for Python 3, run in the folder with entries.ndjson, must print the third line of
   checkpoint:

{by_hand}
3. None is missing. The site's entries in entries.ndjson must be numbered without a gap. The first of them must be
   number 0 or be recorded before the period; the last must be recorded after it, or be number head - 1 with the head
   of head.json. The last line is the manifest; its root is that of an RFC 6962 tree over a line "SITE HEAD" for each
   site, sorted, and head.json has the proof (RFC 6962, 2.1.1) for "{site_id} HEAD" in it.
"""


def readme(claim: Claim, origin: str, size: int) -> bytes:
    """README.txt, with the line ends that every editor on Windows shows."""
    text = TEXT.format(
        site_id=claim.site_id,
        start=format_time(claim.start),
        end=format_time(claim.end),
        origin=origin,
        size=size,
        by_hand="".join(f"    {line}\n" for line in BY_HAND.splitlines()),
    )
    return text.replace("\n", "\r\n").encode()


def key_list(keys: Sequence[str]) -> bytes:
    """keys.txt."""
    lines = [
        "# The public keys in use when this was exported. Information, no proof: take the keys you trust elsewhere."
    ]
    return "".join(f"{line}\r\n" for line in [*lines, *keys]).encode()
