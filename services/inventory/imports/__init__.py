"""Imports: lists that others keep of DICOM nodes, read as what inventory would register."""
