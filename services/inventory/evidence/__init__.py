"""Evidence: the documents, events and statements that steps of a lifecycle rest on. It is revoked, never deleted."""
