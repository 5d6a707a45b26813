"""Links: what needs what, which cable goes where, who talks to whom in DICOM, and what falls when something falls."""
