"""What two or more services use: events, their delivery, HTTP, identity, settings, telemetry. Imports no service."""
