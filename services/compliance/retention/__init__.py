"""Retention: how long entries stay, what may not go, and how old ones leave the database for an archive and come back."""
