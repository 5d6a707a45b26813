"""The real parts start, come back on their data, and are gone when they should be."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.news import WAIT_SECONDS
from tests.parts.dcmtk import Dcmqrscp, Storescp
from tests.parts.kafka import KafkaBroker
from tests.parts.orthanc import Orthanc
from tests.parts.process import PartFailed, PartMissing, accepts_connections, find_program, free_port


async def test_a_kafka_broker_is_back_on_its_data_after_a_kill(tmp_path: Path) -> None:
    with KafkaBroker(tmp_path) as broker:
        await create_topic(broker.bootstrap, "kept")
        await publish_in_a_transaction(broker.bootstrap, "kept", b"before the crash")
        broker.kill()
        assert not accepts_connections(broker.port)
        broker.restart()
        assert await read_first(broker.bootstrap, "kept") == b"before the crash"
    assert not accepts_connections(broker.port)


async def test_the_shared_broker_makes_no_topic_by_itself(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        described = await admin.describe_topics(["nobody-made-me"])
        assert described[0]["error_code"] != 0
        assert "nobody-made-me" not in await admin.list_topics()
    finally:
        await admin.close()


def test_both_archives_answer_a_c_echo(orthanc: Orthanc, dcmqrscp: Dcmqrscp) -> None:
    for archive in (orthanc, dcmqrscp):
        assert echo(archive.ae_title, archive.port) == 0


def test_an_archive_that_was_killed_answers_again_on_its_port(tmp_path: Path) -> None:
    with Orthanc(tmp_path, ae_title="ORTHANC2") as archive:
        archive.kill()
        assert echo("ORTHANC2", archive.port) != 0
        archive.restart()
        assert echo("ORTHANC2", archive.port) == 0


def test_a_receiver_listens_until_it_is_stopped(tmp_path: Path) -> None:
    with Storescp(tmp_path) as receiver:
        assert echo(receiver.ae_title, receiver.port) == 0
    assert echo(receiver.ae_title, receiver.port) != 0


def test_a_part_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, os, signal; from tests.parts.dcmtk import Storescp\n"
        "part = Storescp(pathlib.Path(sys.argv[1])); part.start(); print(part._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = subprocess.run([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, check=False)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(died.stdout)).wait(WAIT_SECONDS)
    assert not psutil.pid_exists(int(died.stdout))


def test_a_missing_program_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(PartMissing, match="parts/install some-package"):
        find_program("a-program-nobody-has", package="some-package")


def test_a_part_that_cannot_start_says_its_last_words(tmp_path: Path) -> None:
    with Storescp(tmp_path) as first:
        second = Deaf(tmp_path / "second")
        second.port = first.port
        with pytest.raises(PartFailed, match="storescp ended as it started"):
            second.start()


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert 1024 < free_port() < lowest


async def test_each_test_has_an_empty_database_of_its_own(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("CREATE TABLE mine (id int)")
        tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables == 1
    finally:
        await connection.close()


class Deaf(Storescp):
    """Never counts as answering, so that another one on its port is not taken for it."""

    def answers(self) -> bool:
        return False


def echo(ae_title: str, port: int) -> int:
    """The exit status of DCMTK's own C-ECHO."""
    command = [
        find_program("echoscu", package="dcmtk"),
        "-to",
        f"{WAIT_SECONDS:.0f}",
        "-aec",
        ae_title,
        "127.0.0.1",
        str(port),
    ]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode


async def create_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def publish_in_a_transaction(bootstrap: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="parts")
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def read_first(bootstrap: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        record = await consumer.getone()
    finally:
        await consumer.stop()
    value: bytes | None = record.value
    return value
