"""The manifests hold by Kubernetes' own schemas, and say what the table says."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml

from jimbot.appliance import Appliance
from jimbot.appliance.render import kubernetes, render
from jimbot.security import tokens
from jimbot.training import cluster as joining

ENVIRONMENTS = ("development", "staging", "production")
# Those that the schemas do not know: KubeRay's resource, kustomize's file.
FOREIGN = ("RayCluster", "Kustomization")

Manifest = dict[str, Any]


@pytest.fixture
def served(raw_table: Callable[[], dict[str, Any]]) -> Appliance:
    """The table with all three servers."""
    table = raw_table()
    for store in ("log", "series", "graph"):
        table["stores"][store]["engine"] = "server"
    return Appliance.model_validate(table)


def manifests(appliance: Appliance, environment: str) -> list[Manifest]:
    texts = render("kubernetes", appliance, environment)
    return [each for text in texts.values() for each in yaml.safe_load_all(text)]


def the(found: list[Manifest], kind: str, name: str) -> Manifest:
    (one,) = [e for e in found if e["kind"] == kind and e["metadata"]["name"] == name]
    return one


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_manifest_holds_by_the_schema(served: Appliance, environment: str) -> None:
    found = manifests(served, environment)
    checked = [each for each in found if each["kind"] not in FOREIGN]
    for each in checked:
        kubernetes_validate.validate(each, "1.33", strict=True)
    assert {each["kind"] for each in checked} >= {
        "ConfigMap",
        "Namespace",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "StatefulSet",
    }
    names = [(each["kind"], each["metadata"]["name"]) for each in checked]
    assert len(names) == len(set(names))
    (kustomization,) = [each for each in found if each["kind"] == "Kustomization"]
    assert set(kustomization["resources"]) == set(render("kubernetes", served, environment)) - {
        "kustomization.yaml"
    }


def test_the_schema_would_see_a_mistake(served: Appliance) -> None:
    broken = the(manifests(served, "production"), "StatefulSet", "jimbot")
    broken["spec"]["template"]["spec"]["containers"][0]["resources"]["limit"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.33", strict=True)


def test_limits_ports_and_volumes_are_the_tables(served: Appliance) -> None:
    found = manifests(served, "production")
    pod = the(found, "StatefulSet", "jimbot")["spec"]["template"]["spec"]
    by_name = {each["name"]: each for each in pod["containers"]}
    assert set(by_name) == {"mcp", "analytics", "claude", "trainer"}
    for name, container in by_name.items():
        row = served.service(name)
        shared = served.object_store_mb if name == "trainer" else 0
        assert container["resources"]["limits"]["memory"] == f"{row.memory_mb + shared}Mi"
        assert {p["containerPort"] for p in container["ports"]} == set(row.ports.values())
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["exec"]["command"] == ["jimbot", "health", name]
        assert container["securityContext"]["readOnlyRootFilesystem"]
    ports = [port["name"] for each in pod["containers"] for port in each["ports"]]
    assert len(ports) == len(set(ports))
    for name in ("eventstore", "questdb", "memgraph"):
        kept = the(found, "StatefulSet", name)["spec"]
        (claim,) = kept["volumeClaimTemplates"]
        gb = getattr(served.kubernetes.storage_gb, name)
        assert claim["spec"]["resources"]["requests"]["storage"] == f"{gb}Gi"
        pod = kept["template"]["spec"]
        (container,) = pod["containers"]
        row = served.service(name)
        image = served.images[row.image]
        assert container["image"].startswith(row.image)
        assert {one["name"]: one["value"] for one in container["env"]} == image.environment
        assert container["args"] == image.told(row.memory_mb * served.placement.memory_high)
        assert container["volumeMounts"][0]["mountPath"] == image.data
        assert pod["securityContext"]["fsGroup"]  # or one that starts as a plain user cannot write


def test_the_table_inside_holds_and_names_the_servers(served: Appliance) -> None:
    found = manifests(served, "staging")
    text = the(found, "ConfigMap", "jimbot-table")["data"]["appliance.toml"]
    inside = Appliance.model_validate(tomllib.loads(text))
    assert inside.stores.series.address == "http://questdb.jimbot-staging.svc:9000"
    assert inside.stores.log.address == "esdb://eventstore.jimbot-staging.svc:2113?tls=false"
    assert inside.security.exposed
    assert inside == kubernetes.on_cluster(served, "staging")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_trainer_joins_rays_head_with_its_token(served: Appliance, environment: str) -> None:
    found = manifests(served, environment)
    cluster = the(found, "RayCluster", "jimbot-ray")
    name, port = cluster["metadata"]["name"], served.service("ray-head").ports["gcs"]
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["port"] == str(port)
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    pod = the(found, "StatefulSet", "jimbot")["spec"]["template"]["spec"]
    (trainer,) = [each for each in pod["containers"] if each["name"] == "trainer"]
    told = {each["name"]: each["value"] for each in trainer["env"]}
    # KubeRay calls the head's Service so, and keeps the token in a secret of the cluster's name.
    assert told["JIMBOT_RAY_HEAD"] == f"{name}-head-svc.jimbot-{environment}.svc:{port}"
    (token,) = [each["secret"] for each in pod["volumes"] if each["name"] == "ray-token"]
    assert (token["secretName"], token["items"][0]["key"]) == (name, "auth_token")
    (mount,) = [each for each in trainer["volumeMounts"] if each["name"] == "ray-token"]
    assert f"{mount['mountPath']}/{token['items'][0]['path']}" == str(joining._GIVEN)
    paths = [each["mountPath"] for each in trainer["volumeMounts"]]
    assert len(paths) == len(set(paths))
    assert {each["name"] for each in trainer["volumeMounts"]} <= {
        *(each["name"] for each in pod["volumes"]),
        "home",
    }
    # What learns has the GPU, and the others of the pod do not.
    gpus = [each["name"] for each in pod["containers"] if "nvidia.com/gpu" in str(each)]
    assert gpus == ["trainer"]
    # They call each other, and mcp is reached whether the trainer is ready or not.
    ray = {"podSelector": {"matchLabels": {"ray.io/cluster": name}}}
    app = the(found, "NetworkPolicy", "jimbot")["spec"]
    assert {"from": [ray]} in app["ingress"]
    assert {"to": [ray]} in app["egress"]
    assert the(found, "Service", "jimbot")["spec"]["publishNotReadyAddresses"]


def test_embedded_stores_need_no_servers(appliance: Appliance) -> None:
    found = manifests(appliance, "production")
    assert {e["metadata"]["name"] for e in found if e["kind"] == "StatefulSet"} == {"jimbot"}


def test_secrets_are_references_alone(served: Appliance) -> None:
    found = manifests(served, "production")
    assert not [each for each in found if each["kind"] == "Secret"]
    pod = the(found, "StatefulSet", "jimbot")["spec"]["template"]["spec"]
    mounts = {
        each["name"]: {m["mountPath"] for m in each["volumeMounts"] if m["name"] == "secrets"}
        for each in pod["containers"]
    }
    assert mounts["claude"] == {"/run/secrets/claude"}
    assert mounts["mcp"] == {
        "/run/secrets/jimbot-tokens",
        "/run/secrets/jimbot-tls-certificate",
        "/run/secrets/jimbot-tls-key",
    }


def test_nothing_talks_but_what_is_named(served: Appliance) -> None:
    found = [e for e in manifests(served, "production") if e["kind"] == "NetworkPolicy"]
    nothing = the(found, "NetworkPolicy", "nothing")["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    # From outside the namespace mcp's WebSocket alone is reached.
    open_ = [
        (each["metadata"]["name"], rule["ports"])
        for each in found
        for rule in each["spec"].get("ingress", ())
        if "from" not in rule
    ]
    websocket = served.service("mcp").ports["websocket"]
    assert open_ == [("jimbot", [{"protocol": "TCP", "port": websocket}])]
    for name in ("eventstore", "questdb", "memgraph"):
        assert "egress" not in the(found, "NetworkPolicy", name)["spec"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environments_differ_in_workers_and_backups(served: Appliance, environment: str) -> None:
    found = manifests(served, environment)
    wants = getattr(served.environments, environment)
    steady = the(found, "RayCluster", "jimbot-ray")["spec"]["workerGroupSpecs"][0]
    assert (steady["minReplicas"], steady["maxReplicas"]) == wants.workers
    assert any(each["kind"] == "CronJob" for each in found) == wants.backups


def test_the_ray_cluster_says_what_kuberay_asks(served: Appliance) -> None:
    """The fields of ray.io/v1 that KubeRay requires, by its API reference; there is no schema."""
    cluster = the(manifests(served, "production"), "RayCluster", "jimbot-ray")
    assert cluster["apiVersion"] == "ray.io/v1"
    spec = cluster["spec"]
    assert set(spec) == {
        "rayVersion",
        "enableInTreeAutoscaling",
        "autoscalerOptions",
        "authOptions",
        "headGroupSpec",
        "workerGroupSpecs",
    }
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["authOptions"] == {"mode": "token"}
    assert {"rayStartParams", "template"} <= set(spec["headGroupSpec"])
    groups = spec["workerGroupSpecs"]
    assert [each["groupName"] for each in groups] == ["steady", "spot"]
    for each in groups:
        assert set(each) == {
            "groupName",
            "replicas",
            "minReplicas",
            "maxReplicas",
            "rayStartParams",
            "template",
        }
        assert 0 <= each["minReplicas"] <= each["replicas"] <= each["maxReplicas"]
    templates = [spec["headGroupSpec"]["template"], *(each["template"] for each in groups)]
    for template in templates:
        # A template is a pod: the schema knows those.
        pod = {"apiVersion": "v1", "kind": "Pod", **template}
        pod["metadata"] = {"name": "x", **pod["metadata"]}
        kubernetes_validate.validate(pod, "1.33", strict=True)
        assert all(
            isinstance(value, str) for value in spec["headGroupSpec"]["rayStartParams"].values()
        )
    spot = groups[1]["template"]["spec"]
    assert spot["tolerations"][0]["key"] == served.kubernetes.spot_label
    assert spot["nodeSelector"] == {served.kubernetes.spot_label: served.kubernetes.spot_value}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_rays_pods_run_our_services_without_a_shell(served: Appliance, environment: str) -> None:
    cluster = the(manifests(served, environment), "RayCluster", "jimbot-ray")
    # By it KubeRay leaves commands alone; it does not say so in templates.
    assert cluster["metadata"]["annotations"] == {"ray.io/overwrite-container-cmd": "true"}
    spec = cluster["spec"]
    head, *workers = spec["headGroupSpec"], *spec["workerGroupSpecs"]
    for group, name in ((head, "ray-head"), *((each, "ray-worker") for each in workers)):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        row = served.service(name)
        assert "command" not in container  # the image's: jimbot
        assert container["args"] == list(row.command)
        told = {each["name"]: each for each in container["env"]}
        assert told["JIMBOT_RAY_HEAD"]["value"] == kubernetes.ray_head(served, environment)
        address = told["JIMBOT_RAY_ADDRESS"]["valueFrom"]["fieldRef"]["fieldPath"]
        assert address == "status.podIP"
        # KubeRay's probes go to a dashboard; ours to what the service listens on.
        assert row.health is not None
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["tcpSocket"] == {"port": row.ports[row.health.port]}
        mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        assert set(mounts) == {each["name"] for each in pod["volumes"]}
        assert f"{mounts['ray-token']}/token" == str(joining._GIVEN)
        assert told["JIMBOT_HOME"]["value"] == mounts["home"]
        assert told["JIMBOT_TABLE"]["value"].startswith(mounts["table"])
    profile = served.profiles[told["JIMBOT_PROFILE"]["value"]]
    # What KubeRay's autoscaler counts on is what a worker brings.
    assert {each["rayStartParams"]["num-cpus"] for each in workers} == {
        str(profile.training.env_runners)
    }
    image = spec["autoscalerOptions"]["image"]
    assert image == f"docker.io/rayproject/ray:{served.kubernetes.ray_version}"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_workers_put_their_games_into_the_log(served: Appliance, environment: str) -> None:
    found = manifests(served, environment)
    service = the(found, "Service", "jimbot")
    (port,) = [each["port"] for each in service["spec"]["ports"]]
    spec = the(found, "RayCluster", "jimbot-ray")["spec"]
    for group in spec["workerGroupSpecs"]:
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        told = {each["name"]: each.get("value") for each in container["env"]}
        host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
        assert told["JIMBOT_EVENTS"] == f"wss://{host}:{port}"
        (own,) = [each["secret"] for each in pod["volumes"] if each["name"] == "own"]
        # A token that may do no more, and not the secrets of the appliance.
        assert (own["secretName"], own["optional"]) == ("jimbot-ray-worker", True)
        (path,) = [m["mountPath"] for m in container["volumeMounts"] if m["name"] == "own"]
        files = {f"{path}/{each['path']}" for each in own["items"]}
        assert files == {str(tokens._GIVEN), told["SSL_CERT_FILE"]}
    (head,) = spec["headGroupSpec"]["template"]["spec"]["containers"]
    assert "JIMBOT_EVENTS" not in {each["name"] for each in head["env"]}
    # They may speak with it.
    ray = the(found, "NetworkPolicy", "jimbot-ray")["spec"]
    app = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "jimbot"}}}
    assert any(app in rule.get("to", ()) for rule in ray["egress"])


def test_our_own_programs_have_a_token_where_it_is_handed_over(served: Appliance) -> None:
    pod = the(manifests(served, "production"), "StatefulSet", "jimbot")["spec"]["template"]["spec"]
    (own,) = [each["secret"] for each in pod["volumes"] if each["name"] == "own"]
    assert own["items"] == [{"key": "jimbot-own-token", "path": "token"}]
    for container in pod["containers"]:
        (path,) = [m["mountPath"] for m in container["volumeMounts"] if m["name"] == "own"]
        assert f"{path}/token" == str(tokens._GIVEN)


def test_budgets_let_workers_go_one_by_one_and_keep_the_rest(served: Appliance) -> None:
    found = {
        each["metadata"]["name"]: each["spec"]
        for each in manifests(served, "production")
        if each["kind"] == "PodDisruptionBudget"
    }
    assert found["jimbot-ray-worker"]["maxUnavailable"] == 1
    assert all(
        spec["minAvailable"] == 1 for name, spec in found.items() if name != "jimbot-ray-worker"
    )
    assert {"jimbot", "eventstore", "questdb", "memgraph", "jimbot-ray-head"} <= set(found)
