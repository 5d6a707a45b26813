"""Alerts: when results mean that a person must know, and when a maintenance window holds that back."""
