"""Waivers: a step goes without a kind of evidence until a day, as one person asks and another approves."""
