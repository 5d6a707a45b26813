"""The ledger of notices and deliveries: each due notice to each person who must know, by mail, until it is settled."""
