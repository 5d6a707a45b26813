"""The delivery contract, over Kafka and PostgreSQL: nothing lost, nothing twice, in order."""
