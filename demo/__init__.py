"""The simulated hospital group of `make up`: real DICOM nodes with synthetic patients, on this machine alone."""
