"""What stands in a package of evidence for the person who opens it."""

from collections.abc import Sequence

from services.compliance.export.evidence import Claim
from services.compliance.log.entry import format_time

BY_HAND = """\
import base64, hashlib, json

def leaf(text):
    return hashlib.sha256(b"\\x00" + text.encode()).digest()

def node(left, right):
    return hashlib.sha256(b"\\x01" + left + right).digest()

def base64_of(value):
    return base64.b64encode(value).decode()

# The root over all lines, and how many entries they stand for.
subtrees, entries, size = [], [], 0
for line in open("entries.ndjson", encoding="utf-8", newline="\\n"):
    part = json.loads(line)
    if "entry" in part:
        entries.append(part["entry"])
        level, value = 0, leaf(part["entry"])
    else:
        level, value = part["level"], base64.b64decode(part["hash"])
    size += 2 ** level
    while subtrees and subtrees[-1][0] == level:
        value = node(subtrees.pop()[1], value)
        level += 1
    subtrees.append((level, value))
root = subtrees.pop()[1]
while subtrees:
    root = node(subtrees.pop()[1], root)
signed = open("checkpoint", encoding="utf-8").read().splitlines()
print("size and root are the signed ones:", signed[1:3] == [str(size), base64_of(root)])

# The site's entries: site, number, time of recording.
claim, head = json.load(open("format.json")), json.load(open("head.json"))
own = [entry.split("\\n")[0].split(" ") for entry in entries if entry.startswith(claim["site_id"] + " ")]
if entries[-1].startswith(claim["site_id"] + " ") and len(own) > 1 and int(own[-1][1]) > int(own[-2][1]) + 1:
    own.pop()  # It is only there as the manifest.
numbers = [int(number) for _, number, _ in own]
print("no number is missing:", numbers == list(range(numbers[0], numbers[0] + len(numbers))))
print("none is missing before:", numbers[0] == 0 or own[0][2] < claim["from"])
print("none is missing behind:", own[-1][2] >= claim["to"] or numbers[-1] == head["head"] - 1)

# The manifest, which is the last entry, names the site's head.
header, event = entries[-1].split("\\n", 1)
manifest = json.loads(event)
place, last = head["number"], manifest["data"]["sites"] - 1
value = leaf(claim["site_id"] + " " + str(head["head"]))
for other in map(base64.b64decode, head["proof"]):
    if place % 2 or place == last:
        value = node(other, value)
        while place % 2 == 0 and place > 0:
            place, last = place // 2, last // 2
    else:
        value = node(value, other)
    place, last = place // 2, last // 2
is_manifest = manifest["type"] == "log.manifest" and last == 0
print("the manifest has the site's head:", is_manifest and base64_of(value) == manifest["data"]["root"])
print("complete until", min(claim["to"], header.split(" ")[2]))
"""

SIGNATURE = """\
KEY='the public key of {origin}, NAME+ID+BASE64'
printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000' > key.der
echo "$KEY" | cut -d+ -f3- | base64 -d | tail -c 32 >> key.der
head -n 3 checkpoint > signed
grep '^— {origin} ' checkpoint | head -n 1 | cut -d' ' -f3 | base64 -d | tail -c 64 > signature
openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in signed -sigfile signature
"""
"""The check of the log's signature with openssl; the bytes are what RFC 8410 puts before an Ed25519 key."""

TEXT = """\
EVIDENCE FROM THE AUDIT LOG

Site:    {site_id}
From:    {start}
To:      {end} (not included)
Signed:  {size} entries of the log {origin}

This package holds every entry of this site that the audit log had recorded in this period when it was signed, and what
is needed to check that none was changed and none is missing. To check it, no network and no access to Steward is
needed. Where the period was not over yet, the check says until when the package is complete.

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

Checking by hand, with nothing of Steward

1. The signature. Any tool for signed notes (c2sp.org/signed-note) reads the file checkpoint. With openssl 3, in a shell
   in the folder of these files, this must say that the signature is verified:

{signature}
   If more than one key of the log has signed, take the line of the one that you trust: the first four bytes of its
   Base64 are the ID of the key.
2. Everything else. This program for Python 3, run in the same folder, must answer True to each question:

{by_hand}
   What it looks at: the root over all lines must be the one that was signed, so none was changed. The site's entries
   must be numbered without a gap. The first of them must be number 0 or be recorded before the period; the last must
   be recorded after it, or be number head - 1 with the head of head.json. The last line is the manifest; its root is
   that of an RFC 6962 tree over a line "SITE HEAD" for each site, sorted, and head.json has the proof (RFC 6962, 2.1.1)
   for the line of this site. What was recorded after the manifest is not in here.
"""


def readme(claim: Claim, origin: str, size: int) -> bytes:
    """README.txt, with the line ends that every editor on Windows shows."""
    text = TEXT.format(
        site_id=claim.site_id,
        start=format_time(claim.start),
        end=format_time(claim.end),
        origin=origin,
        size=size,
        signature=_indented(SIGNATURE.format(origin=origin)),
        by_hand=_indented(BY_HAND),
    )
    return text.replace("\n", "\r\n").encode()


def _indented(program: str) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in program.splitlines())


def key_list(keys: Sequence[str]) -> bytes:
    """keys.txt."""
    lines = [
        "# The public keys in use when this was exported. Information, no proof: take the keys you trust elsewhere."
    ]
    return "".join(f"{line}\r\n" for line in [*lines, *keys]).encode()
