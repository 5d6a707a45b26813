"""The real parts that tests run against, each started here, on loopback, and ended with the process that started it."""
