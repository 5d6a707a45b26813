"""The manifests of Kubernetes, as kustomize renders them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from services.registry import OWNING_DATA, SERVICES
from tests.contract.deploy.cluster import Cluster, Workload, permits, permits_leaving, selects
from tests.contract.deploy.settings import assert_fits

OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
ANYBODY: Mapping[str, str] = {}
DATABASE_PORT, KAFKA_PORT, HTTP_PORT = 5432, 9092, 8080


def labels_of(cluster: Cluster, name: str) -> Mapping[str, str]:
    """The labels of the pods of a workload."""
    (labels,) = [workload.labels for workload in cluster.workloads() if workload.name == name]
    return labels


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_fits_the_schema_of_kubernetes(cluster: Cluster, version: str) -> None:
    for found in cluster.objects:
        kubernetes_validate.validate(found, version, strict=True)


def test_a_misspelt_field_does_not_fit_the_schema(base: Cluster) -> None:
    (deployment,) = [found for found in base.all("Deployment") if found["metadata"]["name"] == "inventory"]
    misspelt = {**deployment, "spec": {**deployment["spec"], "replcias": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(misspelt, NEWEST, strict=True)


def test_all_seven_services_and_the_migration_are_there(cluster: Cluster) -> None:
    assert sorted(str(workload.runs) for workload in cluster.of_steward()) == sorted([*SERVICES, "migrate"])


def test_each_environment_is_what_the_settings_ask_for(cluster: Cluster, tmp_path: Path) -> None:
    """A file that a setting names must be in the ConfigMap that is mounted there."""
    for name, text in cluster.trusted_files().items():
        (tmp_path / name).write_text(text)
    for workload in cluster.of_steward():
        mounts = {
            mount["mountPath"]: tmp_path for mount in workload.container["volumeMounts"] if mount["name"] == "trust"
        }
        assert_fits(str(workload.runs), cluster.environment(workload), mounts)


def test_services_log_in_with_the_passwords_that_the_migration_gives(local: Cluster) -> None:
    given = {str(workload.runs): local.environment(workload) for workload in local.of_steward()}
    for service in OWNING_DATA:
        password = given["migrate"][f"STEWARD_{service.upper()}_ROLE_PASSWORD"]
        assert f":{password}@" in given[service]["STEWARD_DATABASE"]


def test_no_secret_is_committed(base: Cluster) -> None:
    assert base.all("Secret") == []


def test_probes_of_the_kubelet_ask_the_service_for_its_health(cluster: Cluster) -> None:
    for workload in cluster.of_steward():
        if workload.runs != "migrate":
            for probe, path in (("livenessProbe", "live"), ("readinessProbe", "ready")):
                asked = workload.container[probe]["httpGet"]
                assert asked == {"path": f"/{workload.runs}/health/{path}", "port": "http"}


def test_nothing_runs_as_root_or_with_privileges(cluster: Cluster) -> None:
    for workload in cluster.workloads():
        _assert_restricted(workload)
        if workload.runs is not None or workload.name == "gateway":
            assert workload.container["securityContext"]["readOnlyRootFilesystem"]


def _assert_restricted(workload: Workload) -> None:
    """The profile `restricted` of the Pod Security Standards, which the namespace enforces."""
    pod, own = workload.pod["securityContext"], workload.container["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"]["drop"] == ["ALL"]
    assert set(own["capabilities"].get("add", [])) <= {"NET_BIND_SERVICE"}
    assert workload.pod["automountServiceAccountToken"] is False
    assert {"requests", "limits"} <= workload.container["resources"].keys()


def test_each_selector_chooses_the_pods_of_one_workload(cluster: Cluster) -> None:
    pods = [workload.labels for workload in cluster.workloads()]
    for kind in ("Service", "PodDisruptionBudget"):
        for found in cluster.all(kind):
            selector = found["spec"]["selector"]
            chosen = [p for p in pods if selects(selector if kind != "Service" else {"matchLabels": selector}, p)]
            assert [p["app.kubernetes.io/name"] for p in chosen] == [found["metadata"]["name"]]
    for policy in cluster.all("NetworkPolicy"):
        assert any(selects(policy["spec"]["podSelector"], p) for p in pods), policy["metadata"]["name"]


def test_named_ports_lead_to_ports_that_containers_open(cluster: Cluster) -> None:
    opened = {
        w.name: {port["name"]: port["containerPort"] for port in w.container.get("ports", [])}
        for w in cluster.workloads()
    }
    for service in cluster.all("Service"):
        for port in service["spec"]["ports"]:
            assert opened[service["metadata"]["name"]][port["targetPort"]] == port["port"]


def test_every_volume_comes_from_an_object_that_is_rendered_or_optional(cluster: Cluster) -> None:
    there = {(found["kind"], found["metadata"]["name"]) for found in cluster.objects}
    for workload in cluster.workloads():
        for volume in workload.pod.get("volumes", []):
            source: dict[str, Any] = volume.get("configMap", {})
            assert source.get("optional") or not source or ("ConfigMap", source["name"]) in there
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            assert claim is None or ("PersistentVolumeClaim", claim) in there


def test_services_are_reached_through_the_gateway_alone(cluster: Cluster) -> None:
    gateway = labels_of(cluster, "gateway")
    for service in SERVICES:
        assert permits(cluster, gateway, labels_of(cluster, service), HTTP_PORT)
        assert not permits(cluster, labels_of(cluster, "inventory"), labels_of(cluster, service), HTTP_PORT)
        assert not permits(cluster, ANYBODY, labels_of(cluster, service), HTTP_PORT)
    assert permits(cluster, labels_of(cluster, "console"), gateway, HTTP_PORT)
    assert not permits(cluster, labels_of(cluster, "probes"), gateway, HTTP_PORT)


def test_each_service_leaves_the_cluster_for_what_it_needs_alone(base: Cluster) -> None:
    for service in (*OWNING_DATA, "migrate"):
        assert permits_leaving(base, labels_of(base, service), DATABASE_PORT)
        assert permits_leaving(base, labels_of(base, service), KAFKA_PORT)
    for service in SERVICES:
        may_speak_dicom = permits_leaving(base, labels_of(base, service), 11112)
        may_send_mail = permits_leaving(base, labels_of(base, service), 587)
        assert may_speak_dicom is (service == "probes")
        assert may_send_mail is (service in ("probes", "notifier"))
    assert not permits_leaving(base, labels_of(base, "console"), DATABASE_PORT)
    assert not permits_leaving(base, labels_of(base, "gateway"), 443)


def test_what_the_local_overlay_brings_is_reached_by_those_who_need_it(local: Cluster) -> None:
    for service in (*OWNING_DATA, "migrate"):
        assert permits(local, labels_of(local, service), labels_of(local, "postgres"), DATABASE_PORT)
        assert permits(local, labels_of(local, service), labels_of(local, "kafka"), KAFKA_PORT)
    assert permits(local, labels_of(local, "kafka"), labels_of(local, "kafka"), KAFKA_PORT)
    assert permits(local, labels_of(local, "notifier"), labels_of(local, "mailpit"), 1025)
    assert not permits(local, labels_of(local, "console"), labels_of(local, "postgres"), DATABASE_PORT)
    assert not permits(local, labels_of(local, "gateway"), labels_of(local, "postgres"), DATABASE_PORT)
