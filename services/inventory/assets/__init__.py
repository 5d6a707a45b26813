"""Assets: the PACS systems of the sites and the DICOM nodes that belong to them."""
