"""Retention: how long entries stay, what may not go, and how old ones leave for an archive and come back."""
