"""Contracts: who is called when something fails, which agreements are in force, and that no end comes unseen."""
