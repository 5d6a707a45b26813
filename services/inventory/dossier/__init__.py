"""Dossiers: the sealed record of an asset's whole life, signed by two people, that an outsider checks offline."""
