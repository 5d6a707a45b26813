"""The event contracts and their golden samples."""
