"""What only a cluster needs: `[kubernetes]` of the appliance table."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Gigabytes = Annotated[int, Field(ge=1, description="GiB")]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Storage(_Row):
    """GiB of the volume of each."""

    home: Gigabytes
    eventstore: Gigabytes
    questdb: Gigabytes
    memgraph: Gigabytes


class Kubernetes(_Row):
    """`registry` comes before our images' names; `storage_class` is the cluster's own if empty.

    `spot_label` and its value are on nodes that may be taken away, and the taint on them.
    `autoscaler` is an image of Ray's own, with the tag `ray_version`: KubeRay starts its autoscaler
    through a shell.
    """

    registry: str
    storage_class: str
    storage_gb: Storage
    spot_label: str
    spot_value: str
    spot_workers: Annotated[int, Field(ge=0, description="at most, beside the steady ones")]
    ray_version: str
    autoscaler: str
    backup_schedule: Annotated[str, Field(description="cron; it makes whichever kind is due")]
