"""Whoever reads the log meanwhile never sees a proof that fails, whatever befalls its writers."""

import asyncio
import multiprocessing
import random
import signal
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

import httpx

from services.compliance.__main__ import build
from services.compliance.checkpoints.checkpoint import SignedCheckpoint, open_checkpoint
from services.compliance.log.entry import build_entry
from services.compliance.log.proofs import verify_consistency, verify_inclusion
from services.compliance.log.tree import leaf_hash
from services.compliance.log.writer import Writer
from services.compliance.settings import ComplianceSettings
from shared import telemetry
from shared.bus import Bus
from shared.database import Pool
from shared.http import mount_services, service_app
from shared.http.app import Health
from shared.http.call import RouteContext
from shared.identity import Identity, Keys
from shared.issuer import Issuer
from shared.service import Service, open_service
from tests.integration.compliance.appending.checking import check_log
from tests.integration.compliance.appending.stage import Source, send_signal
from tests.integration.compliance.appending.test_crashes import all_read
from tests.integration.compliance.log.live import KEY, URL, signed
from tests.integration.compliance.publishing import AUDITOR
from tests.integration.conftest import settings_for
from tests.news import until

LEASE_SECONDS = 1.0


def serve(settings: ComplianceSettings) -> None:
    """A process that runs the whole service, with a short lease."""
    telemetry.configure_logs("critical")
    asyncio.run(_serve(settings))


async def _serve(settings: ComplianceSettings) -> None:
    async with open_service("compliance", lambda pool: hasty(build(pool, settings)), settings, settings.open_bus()):
        await asyncio.Event().wait()


def hasty(service: Service) -> Service:
    """The service, whose writers take over sooner."""
    make = service.reader
    assert make is not None

    def writer(bus: Bus) -> Writer:
        return replace(cast(Writer, make(bus)), lease_seconds=LEASE_SECONDS)

    return replace(service, reader=writer)


@contextmanager
def replicas(settings: ComplianceSettings, number: int) -> Iterator[list[BaseProcess]]:
    """Replicas of the service; who takes one out of the list ends it."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([__name__])
    running: list[BaseProcess] = []
    try:
        for _ in range(number):
            running.append(start(forks, settings))
        yield running
    finally:
        for process in running:
            process.kill()
            process.join()


def start(forks: multiprocessing.context.ForkServerContext, settings: ComplianceSettings) -> BaseProcess:
    """Starts a replica."""
    process = forks.Process(target=serve, args=(settings,), daemon=True)
    process.start()
    return process


@dataclass
class Reader:
    """An auditor that believes nothing: it asks for proofs against checkpoints that it has seen, and verifies them."""

    http: httpx.AsyncClient
    rng: random.Random
    seen: list[SignedCheckpoint] = field(default_factory=list)
    leaves: dict[int, bytes] = field(default_factory=dict)
    proofs: int = 0

    async def hammer(self) -> None:
        """Goes on for ever; what fails is raised."""
        while True:
            note = (await self._get("checkpoint")).content
            newest = open_checkpoint(note, [KEY.verifier])
            assert not self.seen or newest.size >= self.seen[-1].size
            self.seen.append(newest)
            await self._check_inclusion(newest, self.rng.randrange(newest.size))
            await self._check_consistency(self.rng.choice(self.seen), newest)
            self.proofs += 2

    async def _check_inclusion(self, checkpoint: SignedCheckpoint, index: int) -> None:
        told = (await self._get(f"proof/inclusion?index={index}&size={checkpoint.size}")).json()
        leaf = b64decode(told["leaf_hash"])
        verify_inclusion(index, checkpoint.size, leaf, [b64decode(one) for one in told["hashes"]], checkpoint.root)
        assert self.leaves.setdefault(index, leaf) == leaf

    async def _check_consistency(self, old: SignedCheckpoint, new: SignedCheckpoint) -> None:
        told = (await self._get(f"proof/consistency?old={old.size}&new={new.size}")).json()
        verify_consistency(old.size, new.size, old.root, new.root, [b64decode(one) for one in told["hashes"]])

    async def _get(self, path: str) -> httpx.Response:
        answer = await self.http.get(URL + path)
        assert answer.status_code == 200, answer.text
        return answer


async def test_no_reader_sees_a_proof_that_fails_while_writers_append_and_are_killed(
    database: str, pool: Pool, source: Source, tmp_path: Path
) -> None:
    """Inclusion of random entries, and consistency between all checkpoints seen, through two failovers."""
    settings: ComplianceSettings = settings_for(
        ComplianceSettings, "compliance", database, tmp_path, **signed(tmp_path)
    )
    issuer = Issuer(tmp_path)
    identity = Identity(settings.oidc_issuer, settings.oidc_audience, Keys(settings.oidc_jwks), pool)

    async def ready() -> Health:
        return Health()

    app = service_app(RouteContext("compliance", pool, identity, cast(Any, None)), build(pool, settings).routers, ready)
    headers = {"Authorization": f"Bearer {issuer.token('audrey', AUDITOR)}"}
    transport = httpx.ASGITransport(mount_services({"compliance": app}))
    with replicas(settings, 2) as running:
        await source.publish(100)
        await until(pool, "SELECT EXISTS (SELECT FROM checkpoints)")
        async with httpx.AsyncClient(transport=transport, base_url="http://steward", headers=headers) as http:
            readers = [Reader(http, random.Random(number)) for number in range(3)]
            async with asyncio.TaskGroup() as group:
                hammering = [group.create_task(reader.hammer()) for reader in readers]
                for signum in (signal.SIGSTOP, signal.SIGKILL):
                    await fail_over(running, settings, pool, source, signum)
                for task in hammering:
                    task.cancel()
    checked = await check_log(database)
    assert sorted(checked.of_type("probe.result")) == sorted(source.published)
    for reader in readers:
        assert reader.proofs > 20
        assert all(leaf_hash(build_entry(checked.entries[index])) == leaf for index, leaf in reader.leaves.items())


async def fail_over(
    running: list[BaseProcess], settings: ComplianceSettings, pool: Pool, source: Source, signum: signal.Signals
) -> None:
    """Ends or stops both replicas; two others take over, and bear it when the stopped ones go on."""
    epoch = await pool.fetchval("SELECT epoch FROM head")
    victims, running[:] = running[:], []
    await source.publish(200)
    for victim in victims:
        send_signal(victim, signum)
    forks = multiprocessing.get_context("forkserver")
    running += [start(forks, settings) for _ in victims]
    await source.publish(200)
    await until(pool, "SELECT epoch > $1 FROM head", epoch)
    for victim in victims:
        if signum is signal.SIGSTOP:
            send_signal(victim, signal.SIGCONT)
    await source.publish(200)
    await all_read(pool, len(source.published))
    for victim in victims:
        victim.kill()
        victim.join()
