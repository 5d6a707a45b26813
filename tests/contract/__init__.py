"""Contracts: one suite over every implementation."""
