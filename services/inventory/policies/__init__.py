"""Policies: which steps an asset's life has, and what must be shown before each. Versions are added, never changed."""
