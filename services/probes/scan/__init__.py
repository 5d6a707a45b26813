"""Scan: which addresses of a range answer in DICOM. It tells; it registers nothing."""
