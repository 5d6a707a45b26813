"""Commands on policies, and what other capabilities ask of them."""

import hashlib
import tomllib
from pathlib import Path

from services.inventory.policies import store
from services.inventory.policies.domain import Policy, PublishedPolicy
from services.inventory.policies.soundness import check_policy
from shared.database import Connection
from shared.errors import Conflict
from shared.events import GROUP
from shared.events.inventory import PolicyChanged
from shared.transactions import Transaction

FIRST = Path(__file__).parent / "policy.toml"


def _digest(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def first_policy() -> PublishedPolicy:
    """The policy that comes with Steward. Raises ValidationError or UnsoundPolicy where its file is wrong."""
    policy = Policy.model_validate(tomllib.loads(FIRST.read_text()))
    check_policy(policy)
    return PublishedPolicy(
        version=policy.version,
        policy=policy,
        sha256=_digest(policy.model_dump_json()),
        published_by="service:inventory",
        published_at=None,
    )


BUILT_IN = first_policy()


async def newest_policy(conn: Connection) -> Policy:
    """The policy that is in force."""
    version = await store.select_newest_version(conn)
    return BUILT_IN.policy if version is None else (await find_policy(conn, version)).policy


async def find_policy(conn: Connection, version: int) -> PublishedPolicy:
    """One version. Raises NotFound."""
    if version == BUILT_IN.version:
        return BUILT_IN
    return await store.select_policy(conn, version)


async def list_policies(conn: Connection, after: int, limit: int) -> list[PublishedPolicy]:
    """Versions behind ``after``, the one that comes with Steward first."""
    brought = [BUILT_IN] if after < BUILT_IN.version else []
    return [*brought, *await store.select_policies(conn, after, limit)][:limit]


async def publish_policy(tx: Transaction, policy: Policy) -> PublishedPolicy:
    """Puts a new version in force, which judges all that comes from now on.

    Raises UnsoundPolicy, or Conflict when its number is not the next one.
    """
    check_policy(policy)
    newest = await newest_policy(tx.conn)
    if policy.version != newest.version + 1:
        raise Conflict(f"the newest policy is version {newest.version}; the next is {newest.version + 1}")
    document = policy.model_dump_json()
    published = PublishedPolicy(
        version=policy.version,
        policy=policy,
        sha256=_digest(document),
        published_by=tx.actor,
        published_at=tx.now,
    )
    await store.insert_policy(tx.conn, published, document)
    told = PolicyChanged(policy_version=policy.version, title=policy.title, sha256=published.sha256)
    tx.record(told, subject=GROUP, site_id=GROUP)
    return published
