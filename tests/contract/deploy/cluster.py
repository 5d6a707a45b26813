"""The objects of one rendering, and what the cluster would make of them."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.registry import SERVICES

Labels = Mapping[str, str]
KINDS_WITH_PODS = ("Deployment", "StatefulSet", "Job")


@dataclass(frozen=True)
class Workload:
    """A Deployment, StatefulSet or Job and its one container."""

    name: str
    labels: Labels
    pod: Mapping[str, Any]
    container: Mapping[str, Any]

    @property
    def runs(self) -> str | None:
        """The service that it runs, or ``migrate``; None for what is not ours."""
        if self.container.get("args") == ["steward", "migrate"]:
            return "migrate"
        image = str(self.container["image"]).rpartition("/")[2]
        name = image.partition(":")[0].removeprefix("steward-")
        return name if name in SERVICES else None


class Cluster:
    """What was rendered, by kind and name."""

    def __init__(self, objects: Sequence[dict[str, Any]]) -> None:
        self.objects = objects
        self._found = {(o["kind"], o["metadata"]["name"]): o for o in objects}

    def all(self, kind: str) -> Sequence[dict[str, Any]]:
        """All objects of a kind."""
        return [found for found in self.objects if found["kind"] == kind]

    def workloads(self) -> Sequence[Workload]:
        """All that runs pods. Raises AssertionError when a pod has more than one container."""
        return [self._workload(found) for kind in KINDS_WITH_PODS for found in self.all(kind)]

    def of_steward(self) -> Sequence[Workload]:
        """All that runs a program of ours."""
        return [workload for workload in self.workloads() if workload.runs is not None]

    def trusted_files(self) -> Mapping[str, str]:
        """The files that every container of ours finds in /etc/steward."""
        found = [o for o in self.all("ConfigMap") if o["metadata"]["name"].startswith("steward-trust-")]
        return {name: text for config in found for name, text in config["data"].items()}

    def environment(self, workload: Workload) -> dict[str, str]:
        """The container's environment. A Secret that is made by hand gives a stand-in of the form that it must have."""
        environment = dict(self._from_whole_objects(workload))
        for entry in workload.container.get("env", []):
            if "value" in entry:
                environment[entry["name"]] = entry["value"]
            elif (value := self._secret(workload, **entry["valueFrom"]["secretKeyRef"])) is not None:
                environment[entry["name"]] = value
        return environment

    @staticmethod
    def _workload(found: dict[str, Any]) -> Workload:
        template = found["spec"]["template"]
        (container,) = template["spec"]["containers"]
        assert "initContainers" not in template["spec"]
        return Workload(found["metadata"]["name"], template["metadata"]["labels"], template["spec"], container)

    def _from_whole_objects(self, workload: Workload) -> Iterator[tuple[str, str]]:
        for source in workload.container.get("envFrom", []):
            if "configMapRef" in source:
                yield from self._found["ConfigMap", source["configMapRef"]["name"]]["data"].items()
            else:
                assert source["secretRef"]["optional"], "an unnamed set of variables can't be required"

    def _secret(self, workload: Workload, name: str, key: str, optional: bool = False) -> str | None:
        secret = self._found.get(("Secret", name))
        if secret is not None:
            return base64.b64decode(secret["data"][key]).decode()
        if optional:
            return None
        return f"postgresql://steward_{workload.runs}:secret@db:5432/steward" if "database" in key else "secret"


def selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Whether a label selector chooses what carries ``labels``."""
    exact = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        rule["operator"] == "In" and labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", [])
    )


def permits(cluster: Cluster, source: Labels, target: Labels, port: int) -> bool:
    """Whether the network policies let a pod open a connection to another one of the same namespace."""
    return _passes(cluster, "Egress", "to", source, target, port) and _passes(
        cluster, "Ingress", "from", target, source, port
    )


def permits_leaving(cluster: Cluster, source: Labels, port: int) -> bool:
    """Whether the network policies let a pod open a connection to an address outside the cluster."""
    return _passes(cluster, "Egress", "to", source, None, port)


def _passes(cluster: Cluster, way: str, side: str, own: Labels, peer: Labels | None, port: int) -> bool:
    policies = [p["spec"] for p in cluster.all("NetworkPolicy") if selects(p["spec"]["podSelector"], own)]
    ruling = [policy for policy in policies if way in policy["policyTypes"]]
    rules = [rule for policy in ruling for rule in policy.get(way.lower(), [])]
    return not ruling or any(_matches(rule, side, peer, port) for rule in rules)


def _matches(rule: Mapping[str, Any], side: str, peer: Labels | None, port: int) -> bool:
    listed = [(entry["port"], entry.get("endPort", entry["port"])) for entry in rule["ports"]]
    peers = rule.get(side)
    return any(first <= port <= last for first, last in listed) and (
        peers is None or any("podSelector" in p and peer is not None and selects(p["podSelector"], peer) for p in peers)
    )
