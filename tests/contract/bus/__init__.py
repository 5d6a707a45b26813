"""The bus contract, over Kafka and PostgreSQL."""
