"""Conformance: which SOP classes and transfer syntaxes each node negotiates, kept so that a change is seen."""
