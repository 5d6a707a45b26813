"""All seven services in one process, with the database and the bus that they need."""
