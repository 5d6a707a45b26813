"""`steward probe-agent`: makes the probes of one vantage, behind a firewall, and brings their results to the service.

It opens connections and takes none. While the link is down it goes on probing and keeps what it saw on its disk.
"""
