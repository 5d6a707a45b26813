"""Agents: the vantages at hospitals behind a firewall, what each of them has to probe, and what they bring."""
