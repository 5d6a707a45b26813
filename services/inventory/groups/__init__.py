"""Groups: regions or owners that sites belong to, nested as deep as a group of hospitals is."""
