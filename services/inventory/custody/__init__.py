"""Custody: who has had an asset since it was taken out of service, and which recycler took it on which manifest."""
