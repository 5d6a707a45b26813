"""A database of probes in which nothing runs but what a test does itself."""

from tests.integration.probes.runs.conftest import pool

__all__ = ["pool"]
