"""The audit log to take away: as lines, as a table, in the words of FHIR and DICOM, and sealed with its proofs."""
