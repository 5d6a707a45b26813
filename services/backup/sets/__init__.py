"""Protection sets: which folder of which system goes into which repository."""
