"""The asynchronous DICOM user agent: associations as requestor, and the DIMSE services that probes ask for.

`echo` is the one way in. It answers with a value for whatever the peer or the network does.
"""

from services.probes.dicom.domain import EchoResult, Peer
from services.probes.dicom.echo import echo

__all__ = ["EchoResult", "Peer", "echo"]
