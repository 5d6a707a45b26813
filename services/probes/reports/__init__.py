"""Reports: what people at a hospital notice themselves, with what the probes saw at that moment."""
