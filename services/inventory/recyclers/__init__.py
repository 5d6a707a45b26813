"""Recyclers: who may take away what is disposed of, under which certificate on which day."""
