"""One Apache Kafka broker (KRaft, broker and controller in one) on loopback."""

import os
import socket
import struct
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.parts.process import Part, PartFailed, PartMissing, find_program, free_port

PROJECT = Path(__file__).parents[2]
JARS = PROJECT / ".parts/kafka/lib"
LOGGING = PROJECT / "parts/kafka/log4j2.properties"

CLUSTER_ID = "c3Rld2FyZC1pbi10ZXN0cw"
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
"""


class KafkaBroker(Part):
    """A broker over the data in ``directory``; ``bootstrap`` is its address for clients.

    It makes no topic by itself. ``kill`` is a crash; ``restart`` comes back on the same data and port.
    """

    name = "kafka"

    def __init__(self, directory: Path, port: int | None = None) -> None:
        super().__init__(directory)
        self.port = port or free_port()
        self.controller_port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        data = self.directory / "data"
        settings = PROPERTIES.format(port=self.port, controller_port=self.controller_port, data=data)
        self._properties.write_text(settings)
        if not (data / "meta.properties").exists():
            formatting = java("kafka.tools.StorageTool", "format", "--config", str(self._properties))
            done = subprocess.run(
                [*formatting, "--cluster-id", CLUSTER_ID], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise PartFailed(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")

    def command(self) -> Sequence[str]:
        return java("kafka.Kafka", str(self._properties))

    def answers(self) -> bool:
        with suppress(OSError, struct.error):
            return count_brokers(self.port) > 0
        return False

    @property
    def _properties(self) -> Path:
        return self.directory / "server.properties"


def java(main: str, *arguments: str) -> list[str]:
    """The command line of one of Kafka's programs."""
    if not JARS.is_dir():
        raise PartMissing("Apache Kafka is not here: parts/install maven && make .parts/kafka/lib")
    program = find_program("java", package="openjdk-17-jre-headless")
    memory = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return [program, *memory, "-cp", f"{JARS}/*", f"-Dlog4j2.configurationFile={LOGGING}", main, *arguments]


def count_brokers(port: int) -> int:
    """Asks the broker for metadata of no topic (request 3, version 1): how many brokers serve clients."""
    request = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as answer:
            _size, _correlation, brokers = struct.unpack(">iii", answer.read(12))
    return int(brokers)


def running_broker() -> str | None:
    """The address in ``STEWARD_KAFKA`` of a broker that already runs and is to be used instead of our own."""
    return os.environ.get("STEWARD_KAFKA") or None
