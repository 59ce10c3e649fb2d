"""Kubernetes: the appliance on a cluster, with Ray by KubeRay.

mcp, analytics, the gateway and the trainer share a pod, since they speak over loopback and share
the home; each server has a pod of its own; Ray's workers come and go, some of them on nodes that
may be taken away at any time. The trainer joins Ray's head by a node of its own. Workers put their
games into the log through mcp's Service. Nothing may talk to anything but what is named here.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from jimbot.appliance.containers import EVENTS, RAY_ADDRESS, RAY_HEAD
from jimbot.appliance.model import Appliance, HealthCheck, Service
from jimbot.appliance.render import containers
from jimbot.appliance.render.toml import table

_HEAD = "# Written from the appliance table: jimbot render kubernetes\n"
_APP = "jimbot"
_RAY = "jimbot-ray"
_SHARED = "/dev/shm"
_TABLE, _TABLE_FILE = "jimbot-table", "appliance.toml"
# What a person makes, once: `kubectl create secret generic …`; docs/scale-out.md tells the keys.
_SECRETS = "jimbot-secrets"
_BACKUP = "jimbot-backup"
_WORKERS = "jimbot-ray-worker"
_OWN = f"{containers.SECRETS}/jimbot-own"
# Else KubeRay starts Ray by `ray start`, through a shell; our images have neither.
_OWN_COMMANDS = {"ray.io/overwrite-container-cmd": "true"}

Manifest = dict[str, Any]


def render(appliance: Appliance, environment: str) -> dict[str, str]:
    """One file a kind of thing, and `kustomization.yaml` that lists them."""
    there = on_cluster(appliance, environment)
    files = {
        "namespace.yaml": [_namespace(environment)],
        "table.yaml": [_table(there, environment)],
        "appliance.yaml": appliance_pod(there, environment),
        "servers.yaml": [
            each for name in containers.servers(there) for each in server(there, name, environment)
        ],
        "ray.yaml": [ray_cluster(there, environment)],
        "disruption.yaml": disruption_budgets(there, environment),
        "network.yaml": network_policies(there, environment),
    }
    if getattr(there.environments, environment).backups:
        files["backup.yaml"] = [backup(there, environment)]
    files = {name: documents for name, documents in files.items() if documents}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace(environment),
        "resources": list(files),
    }
    texts = {name: _HEAD + containers.dump(*documents) for name, documents in files.items()}
    return texts | {"kustomization.yaml": _HEAD + containers.dump(kustomization)}


def on_cluster(appliance: Appliance, environment: str) -> Appliance:
    """The table as it holds there: servers have names, and mcp is reached from outside the pod."""
    stores = appliance.stores
    changed = {}
    for name, field in containers.STORE_OF.items():
        engine = getattr(stores, field)
        url = urlsplit(engine.address)
        if engine.engine == "server" and url.hostname in ("127.0.0.1", "localhost"):
            host = f"{name}.{namespace(environment)}.svc:{url.port}"
            changed[field] = engine.model_copy(
                update={"address": urlunsplit(url._replace(netloc=host))}
            )
    security = type(appliance.security).model_validate(
        appliance.security.model_dump() | {"listen": "0.0.0.0"}
    )
    return appliance.model_copy(
        update={"stores": stores.model_copy(update=changed), "security": security}
    )


def namespace(environment: str) -> str:
    return f"jimbot-{environment}"


def appliance_pod(appliance: Appliance, environment: str) -> list[Manifest]:
    """mcp, analytics, the gateway and the trainer, and the Service by which games reach mcp."""
    rows = {
        name: row
        for name, row in containers.ours(appliance).items()
        if row.group != "training" or name == "trainer"
    }
    pod: Manifest = {
        **_pod_defaults(appliance),
        "terminationGracePeriodSeconds": round(appliance.supervision.stop_s) + 5,
        "containers": [_ours(appliance, name, row, environment) for name, row in rows.items()],
        "volumes": [
            _table_volume(),
            _temporary(appliance),
            {"name": "secrets", "secret": {"secretName": _SECRETS, "optional": True}},
            _shared(appliance),
            {"name": "ray", "emptyDir": {}},
            _secret_volume("own", _SECRETS, {"jimbot-own-token": "token"}),
            # KubeRay makes it; until it has, the trainer is refused, and the others run.
            _ray_token(),
        ],
    }
    websocket = appliance.service("mcp").ports["websocket"]
    return [
        _stateful_set(
            appliance,
            _APP,
            environment,
            pod,
            volume="home",
            gb=appliance.kubernetes.storage_gb.home,
        ),
        # Also while the trainer is not ready: there is one mcp, and it is there or not.
        _service(_APP, environment, {"websocket": websocket}, publishNotReadyAddresses=True),
    ]


def ray_head(appliance: Appliance, environment: str) -> str:
    """`HOST:PORT` of Ray's head, by the Service that KubeRay makes for it."""
    port = appliance.service("ray-head").ports["gcs"]
    return f"{_RAY}-head-svc.{namespace(environment)}.svc:{port}"


def events(appliance: Appliance, environment: str) -> str:
    """mcp's WebSocket as other pods reach it."""
    port = appliance.service("mcp").ports["websocket"]
    return f"wss://{_APP}.{namespace(environment)}.svc:{port}"


def server(appliance: Appliance, name: str, environment: str) -> list[Manifest]:
    """One of the servers that [stores] names."""
    row = appliance.service(name)
    image = appliance.images[row.image]
    container: Manifest = {
        "name": name,
        "image": containers.image(appliance, row.image),
        "args": appliance.server_arguments(name, row.memory_mb),
        "env": [{"name": key, "value": value} for key, value in image.environment.items()],
        "ports": [{"name": label, "containerPort": port} for label, port in row.ports.items()],
        "resources": _resources(appliance, name, row),
        "volumeMounts": [
            {"name": "data", "mountPath": image.data},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
        # Their entry points give the data to the user that they then become.
        "securityContext": _closed(add=["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]),
    }
    if row.health:
        container |= _probes(row.health, _network_probe(row, row.health))
    pod = {
        **_pod_defaults(appliance, ours=False),
        "terminationGracePeriodSeconds": 60,
        "containers": [container],
        "volumes": [_temporary(appliance)],
    }
    gb = getattr(appliance.kubernetes.storage_gb, name)
    return [
        _stateful_set(appliance, name, environment, pod, volume="data", gb=gb),
        _service(name, environment, row.ports),
    ]


def ray_cluster(appliance: Appliance, environment: str) -> Manifest:
    """Ray by KubeRay: a head that runs no games, steady workers, and workers on spot nodes. What
    learns is the trainer, which has the GPU. Pods run our services; `rayStartParams` say the same
    to KubeRay's autoscaler."""
    cluster = appliance.kubernetes
    least, most = getattr(appliance.environments, environment).workers
    shared = appliance.object_store_mb
    head = appliance.service("ray-head")
    worker = appliance.service("ray-worker")
    cores = appliance.groups["training"].cores
    runners = appliance.profiles[containers.whole(appliance)].training.env_runners
    spot = {
        "nodeSelector": {cluster.spot_label: cluster.spot_value},
        "tolerations": [
            {
                "key": cluster.spot_label,
                "operator": "Equal",
                "value": cluster.spot_value,
                "effect": "NoSchedule",
            }
        ],
    }

    def pod(name: str, row: Service, cpu: float, extra: Manifest) -> Manifest:
        defaults = _pod_defaults(appliance)
        if name == "ray-head":
            # KubeRay's autoscaler, which lives beside the head, asks Kubernetes for workers.
            del defaults["automountServiceAccountToken"]
        resources = {"cpu": f"{cpu:g}", "memory": f"{row.memory_mb + shared}Mi"}
        container = _container(appliance, name, row, environment)
        container["resources"] = {"requests": resources, "limits": resources}
        container["env"] += [
            {"name": RAY_HEAD, "value": ray_head(appliance, environment)},
            {"name": RAY_ADDRESS, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ]
        container["volumeMounts"] += _ray_mounts()
        volumes = [
            # What outlives a pod is in the appliance's home.
            {"name": "home", "emptyDir": {}},
            _table_volume(),
            _shared(appliance),
            # Ray keeps its session, its logs and spilled objects there.
            {"name": "tmp", "emptyDir": {}},
            _ray_token(),
        ]
        if name == "ray-worker":
            container["env"] += [
                {"name": EVENTS, "value": events(appliance, environment)},
                {"name": "SSL_CERT_FILE", "value": f"{_OWN}/authority"},
            ]
            container["volumeMounts"].append(_own_mount())
            keys = {"token": "token", "authority": "authority"}
            volumes.append(_secret_volume("own", _WORKERS, keys))
        assert row.health is not None
        # KubeRay's own would ask Ray's dashboard, which is left out.
        container |= _probes(row.health, _network_probe(row, row.health))
        return {
            "metadata": {"labels": _labels(_RAY, environment)},
            "spec": {
                **defaults,
                **extra,
                "containers": [container],
                "volumes": volumes,
            },
        }

    def group(name: str, low: int, high: int, extra: Manifest) -> Manifest:
        return {
            "groupName": name,
            "replicas": low,
            "minReplicas": low,
            "maxReplicas": high,
            "rayStartParams": {
                "num-cpus": str(runners),
                "object-store-memory": str(shared << 20),
            },
            "template": pod("ray-worker", worker, max(cores / 2, 1), extra),
        }

    # A worker that is taken away has half a minute to hand over; its games are played again.
    leaving = {"terminationGracePeriodSeconds": 30}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": _metadata(_RAY, environment) | {"annotations": _OWN_COMMANDS},
        "spec": {
            "rayVersion": cluster.ray_version,
            "enableInTreeAutoscaling": True,
            "autoscalerOptions": {
                "image": f"{cluster.autoscaler}:{cluster.ray_version}",
                "upscalingMode": "Default",
                "idleTimeoutSeconds": 300,
                # It is at home as the user whom its image was made for, and writes there.
                "securityContext": {
                    "runAsUser": 1000,
                    "runAsGroup": 100,
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            },
            "authOptions": {"mode": "token"},
            "headGroupSpec": {
                "serviceType": "ClusterIP",
                "rayStartParams": {
                    "num-cpus": "0",
                    "port": str(head.ports["gcs"]),
                    "object-store-memory": str(shared << 20),
                    "dashboard-host": "127.0.0.1",
                },
                "template": pod("ray-head", head, max(cores / 2, 1), {}),
            },
            "workerGroupSpecs": [
                group("steady", least, most, leaving),
                group("spot", 0, cluster.spot_workers, leaving | spot),
            ],
        },
    }


def disruption_budgets(appliance: Appliance, environment: str) -> list[Manifest]:
    """What a cluster's own maintenance must leave running. Workers may go one by one."""
    found = [
        _budget(name, environment, {"minAvailable": 1}, _selector(name))
        for name in (_APP, *containers.servers(appliance))
    ]
    head = {"ray.io/cluster": _RAY, "ray.io/node-type": "head"}
    workers = {"ray.io/cluster": _RAY, "ray.io/node-type": "worker"}
    found.append(_budget(f"{_RAY}-head", environment, {"minAvailable": 1}, head))
    found.append(_budget(f"{_RAY}-worker", environment, {"maxUnavailable": 1}, workers))
    return found


def network_policies(appliance: Appliance, environment: str) -> list[Manifest]:
    """Nothing, but: names; games to mcp; the pod to its servers and to Claude; Ray among itself."""
    websocket = appliance.service("mcp").ports["websocket"]
    servers = containers.servers(appliance)
    dns = {
        "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
    }
    outside = {
        "to": [
            {
                "ipBlock": {
                    "cidr": "0.0.0.0/0",
                    "except": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"],
                }
            }
        ],
        "ports": [{"protocol": "TCP", "port": 443}],
    }

    def peer(name: str) -> Manifest:
        return {"podSelector": {"matchLabels": _selector(name)}}

    def ports(numbers: list[int]) -> list[Manifest]:
        return [{"protocol": "TCP", "port": number} for number in numbers]

    ray = {"podSelector": {"matchLabels": {"ray.io/cluster": _RAY}}}
    to_servers = [
        {"to": [peer(name)], "ports": ports(list(row.ports.values()))}
        for name, row in servers.items()
    ]
    found = [
        _policy("nothing", environment, {}, ["Ingress", "Egress"]),
        _policy(
            _APP,
            environment,
            _selector(_APP),
            ["Ingress", "Egress"],
            # Ray's nodes, the trainer's among them, call each other on any port. Of the others in
            # the pod only mcp listens there.
            ingress=[{"ports": ports([websocket])}, {"from": [ray]}],
            egress=[dns, outside, *to_servers, {"to": [ray]}],
        ),
        _policy(
            _RAY,
            environment,
            {"ray.io/cluster": _RAY},
            ["Ingress", "Egress"],
            ingress=[{"from": [ray, peer(_APP)]}],
            egress=[dns, {"to": [ray, peer(_APP)]}],
        ),
        # The autoscaler's way to Kubernetes' API, whose address only the cluster knows.
        _policy(
            f"{_RAY}-head",
            environment,
            {"ray.io/cluster": _RAY, "ray.io/node-type": "head"},
            ["Egress"],
            egress=[{"ports": ports([443, 6443])}],
        ),
    ]
    for name, row in servers.items():
        found.append(
            _policy(
                name,
                environment,
                _selector(name),
                ["Ingress", "Egress"],
                ingress=[
                    {"from": [peer(_APP)], "ports": ports(list(row.ports.values()))},
                    {"from": [peer(_BACKUP)], "ports": ports(list(row.ports.values()))},
                ],
            )
        )
    if getattr(appliance.environments, environment).backups:
        found.append(
            _policy(
                _BACKUP,
                environment,
                _selector(_BACKUP),
                ["Ingress", "Egress"],
                egress=[dns, outside, *to_servers],
            )
        )
    return found


def backup(appliance: Appliance, environment: str) -> Manifest:
    """A backup by the clock, on the node that has the home's volume."""
    names = [_APP, *containers.servers(appliance)]
    data = appliance.backup.servers
    pod = {
        **_pod_defaults(appliance),
        "restartPolicy": "Never",
        "affinity": {
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "labelSelector": {"matchLabels": _selector(name)},
                        "topologyKey": "kubernetes.io/hostname",
                    }
                    for name in names
                ]
            }
        },
        "containers": [
            {
                "name": "backup",
                "image": containers.image(appliance, "jimbot-cli", appliance.kubernetes.registry),
                "args": ["backup", "run"],
                "env": [
                    *_environment(appliance, environment),
                    {
                        "name": "JIMBOT_BACKUP",
                        "valueFrom": {"secretKeyRef": {"name": _BACKUP, "key": "repository"}},
                    },
                ],
                "envFrom": [{"secretRef": {"name": f"{_BACKUP}-access", "optional": True}}],
                "resources": {
                    "requests": {"cpu": "250m", "memory": "512Mi"},
                    "limits": {"cpu": "1", "memory": "1Gi"},
                },
                "volumeMounts": [
                    {"name": "home", "mountPath": containers.HOME},
                    {"name": "table", "mountPath": "/etc/jimbot", "readOnly": True},
                    {"name": "tmp", "mountPath": "/tmp"},
                    {"name": "password", "mountPath": containers.SECRETS, "readOnly": True},
                    *(
                        {
                            "name": name,
                            "mountPath": f"{containers.HOME}/{getattr(data, name)}",
                            "readOnly": True,
                        }
                        for name in containers.servers(appliance)
                    ),
                ],
                "securityContext": _closed(),
            }
        ],
        "volumes": [
            {"name": "home", "persistentVolumeClaim": {"claimName": f"home-{_APP}-0"}},
            _table_volume(),
            _temporary(appliance),
            {
                "name": "password",
                "secret": {
                    "secretName": _BACKUP,
                    "items": [{"key": "password", "path": "backup", "mode": 0o440}],
                },
            },
            *(
                {"name": name, "persistentVolumeClaim": {"claimName": f"data-{name}-0"}}
                for name in containers.servers(appliance)
            ),
        ],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": _metadata(_BACKUP, environment),
        "spec": {
            "schedule": appliance.kubernetes.backup_schedule,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 2,
                    "template": {
                        "metadata": {"labels": _labels(_BACKUP, environment)},
                        "spec": pod,
                    },
                }
            },
        },
    }


def _namespace(environment: str) -> Manifest:
    labels = {"pod-security.kubernetes.io/warn": "restricted"}
    name = namespace(environment)
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels | {"app.kubernetes.io/part-of": _APP}},
    }


def _table(appliance: Appliance, environment: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(_TABLE, environment),
        "data": {_TABLE_FILE: table(appliance)},
    }


def _container(appliance: Appliance, name: str, row: Service, environment: str) -> Manifest:
    """What a container of ours has, whichever pod it is in."""
    return {
        "name": name,
        "image": containers.image(appliance, row.image, appliance.kubernetes.registry),
        "args": list(row.command),
        "env": _environment(appliance, environment),
        "ports": [{"name": label, "containerPort": port} for label, port in row.ports.items()],
        "volumeMounts": [
            {"name": "home", "mountPath": containers.HOME},
            {"name": "table", "mountPath": "/etc/jimbot", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
        "securityContext": _closed(),
    }


def _own_mount() -> Manifest:
    return {"name": "own", "mountPath": _OWN, "readOnly": True}


def _ray_mounts() -> list[Manifest]:
    return [
        {"name": "shared", "mountPath": _SHARED},
        {"name": "ray-token", "mountPath": f"{containers.SECRETS}/ray", "readOnly": True},
    ]


def _ours(appliance: Appliance, name: str, row: Service, environment: str) -> Manifest:
    found = _container(appliance, name, row, environment)
    found["resources"] = _resources(appliance, name, row)
    found["volumeMounts"].append(_own_mount())
    if len(row.ports) > 1 or name != "mcp":
        # Names of ports are unique in a pod.
        for port in found["ports"]:
            port["name"] = f"{name}-{port['name']}"[:15]
    found["volumeMounts"] += [
        {
            "name": "secrets",
            "mountPath": f"{containers.SECRETS}/{each}",
            "subPath": each,
            "readOnly": True,
        }
        for each in containers.secrets(appliance, name)
    ]
    if name == "trainer":
        _add_ray(found, appliance, environment)
    if row.health:
        # Their health answers on the pod's loopback alone, so that the pod has to ask itself.
        found |= _probes(row.health, {"exec": {"command": ["jimbot", "health", name]}})
    return found


def _add_ray(trainer: Manifest, appliance: Appliance, environment: str) -> None:
    """What the trainer's own node of Ray needs: the head's address, the token, room."""
    trainer["env"].append({"name": RAY_HEAD, "value": ray_head(appliance, environment)})
    memory = f"{appliance.service('trainer').memory_mb + appliance.object_store_mb}Mi"
    for each in trainer["resources"].values():
        each["memory"] = memory
    trainer["resources"]["limits"]["nvidia.com/gpu"] = "1"
    mounts = [each for each in trainer["volumeMounts"] if each["name"] != "tmp"]
    trainer["volumeMounts"] = [
        *mounts,
        {"name": "ray", "mountPath": "/tmp"},
        *_ray_mounts(),
    ]


def _probes(health: HealthCheck, ask: Manifest) -> Manifest:
    every = round(health.interval_s)
    # A command takes its time to start, beside what the service may take.
    common = ask | {"timeoutSeconds": round(health.timeout_s + health.interval_s)}
    return {
        "startupProbe": common
        | {"periodSeconds": every, "failureThreshold": max(round(health.start_s / every), 3)},
        "readinessProbe": common | {"periodSeconds": 2 * every},
        "livenessProbe": common | {"periodSeconds": 6 * every, "failureThreshold": 3},
    }


def _network_probe(row: Service, health: HealthCheck) -> Manifest:
    port = row.ports[health.port]
    if health.kind == "tcp":
        return {"tcpSocket": {"port": port}}
    return {"httpGet": {"path": health.path, "port": port}}


def _resources(appliance: Appliance, name: str, row: Service) -> Manifest:
    memory = f"{row.memory_mb}Mi"
    cores = containers.cores(appliance, row)
    sharing = sum(other.group == row.group for other in appliance.services.values())
    return {
        "requests": {"cpu": f"{round(1000 * cores / sharing)}m", "memory": memory},
        "limits": {"cpu": f"{cores:g}", "memory": memory},
    }


def _environment(appliance: Appliance, environment: str) -> list[Manifest]:
    return [
        {"name": key, "value": value}
        for key, value in containers.environment(appliance, environment).items()
    ]


def _pod_defaults(appliance: Appliance, *, ours: bool = True) -> Manifest:
    user = containers.USER
    # Volumes are that group's, whoever an image starts as.
    context: Manifest = {"seccompProfile": {"type": "RuntimeDefault"}, "fsGroup": user}
    if ours:
        context |= {"runAsNonRoot": True, "runAsUser": user, "runAsGroup": user}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": context,
    }


def _closed(add: list[str] | None = None) -> Manifest:
    capabilities: Manifest = {"drop": ["ALL"]} | ({"add": add} if add else {})
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": capabilities,
    }


def _temporary(appliance: Appliance) -> Manifest:
    size = f"{appliance.containers.tmp_mb}Mi"
    return {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": size}}


def _shared(appliance: Appliance) -> Manifest:
    """For Ray's object store."""
    size = f"{appliance.object_store_mb}Mi"
    return {"name": "shared", "emptyDir": {"medium": "Memory", "sizeLimit": size}}


def _ray_token() -> Manifest:
    return _secret_volume("ray-token", _RAY, {"auth_token": "token"})


def _secret_volume(name: str, secret: str, keys: dict[str, str]) -> Manifest:
    """Keys of a secret as files; none while there is no such secret."""
    items = [{"key": key, "path": path} for key, path in keys.items()]
    return {"name": name, "secret": {"secretName": secret, "optional": True, "items": items}}


def _table_volume() -> Manifest:
    return {"name": "table", "configMap": {"name": _TABLE}}


def _stateful_set(
    appliance: Appliance, name: str, environment: str, pod: Manifest, *, volume: str, gb: int
) -> Manifest:
    claim: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{gb}Gi"}},
    }
    if appliance.kubernetes.storage_class:
        claim["storageClassName"] = appliance.kubernetes.storage_class
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": _metadata(name, environment),
        "spec": {
            "serviceName": name,
            "replicas": 1,
            "selector": {"matchLabels": _selector(name)},
            "template": {"metadata": {"labels": _labels(name, environment)}, "spec": pod},
            "volumeClaimTemplates": [{"metadata": {"name": volume}, "spec": claim}],
        },
    }


def _service(name: str, environment: str, ports: dict[str, int], **more: object) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name, environment),
        "spec": {
            "selector": _selector(name),
            "ports": [
                {"name": label, "port": port, "targetPort": port} for label, port in ports.items()
            ],
            **more,
        },
    }


def _budget(name: str, environment: str, what: Manifest, selector: Manifest) -> Manifest:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(name, environment),
        "spec": what | {"selector": {"matchLabels": selector}},
    }


def _policy(
    name: str,
    environment: str,
    selector: Manifest,
    types: list[str],
    **rules: list[Manifest],
) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(name, environment),
        "spec": {
            "podSelector": {"matchLabels": selector} if selector else {},
            "policyTypes": types,
            **rules,
        },
    }


def _metadata(name: str, environment: str) -> Manifest:
    labels = _labels(name, environment)
    return {"name": name, "namespace": namespace(environment), "labels": labels}


def _labels(name: str, environment: str) -> dict[str, str]:
    return {
        **_selector(name),
        "app.kubernetes.io/part-of": _APP,
        "app.kubernetes.io/managed-by": "jimbot-render",
        "environment": environment,
    }


def _selector(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name}
