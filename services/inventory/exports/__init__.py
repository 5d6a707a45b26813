"""Exports: all that the group has, as rows that people read in a spreadsheet and that an import takes back."""
