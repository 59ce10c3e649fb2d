"""What other programs read, written from the appliance table; one file a program.

Each has `render(appliance, environment)`, which gives texts by file name. To add one: a file here
and a line in `RENDERERS`.
"""

from __future__ import annotations

import importlib

from jimbot.appliance.model import Appliance

# name → what it writes, for people. The module has the same name.
RENDERERS = {
    "compose": "Compose: the containers of one machine.",
    "kubernetes": "Kubernetes: a cluster's manifests, with a RayCluster by KubeRay.",
    "prometheus": "Prometheus' scrape configuration and alert rules.",
    "grafana": "Grafana's dashboards.",
}


def render(kind: str, appliance: Appliance, environment: str) -> dict[str, str]:
    """Texts by file name (relative, with `/`).

    Args:
        environment: one of the table's [environments].
    """
    module = importlib.import_module(f"{__name__}.{kind}")
    texts: dict[str, str] = module.render(appliance, environment)
    return texts
