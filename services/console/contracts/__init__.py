"""Contracts: what every event promises, as an AsyncAPI document and JSON Schemas, made from the models themselves."""
