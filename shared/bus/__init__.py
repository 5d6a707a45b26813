"""The bus: how events travel. Kafka for several machines, PostgreSQL for one; a setting chooses."""

from shared.bus.protocol import Batch, Bus, Message, Publisher, Subscription

__all__ = ["Batch", "Bus", "Message", "Publisher", "Subscription"]
