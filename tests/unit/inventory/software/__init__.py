"""Unit tests of software and MDS2 forms."""
