"""Access: the API keys that machines call Steward with."""
