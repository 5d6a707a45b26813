"""Notifier alone tells people: who must know, what they read, and that it reached them."""
