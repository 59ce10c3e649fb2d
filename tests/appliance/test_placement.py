from __future__ import annotations

from typing import Any

import pytest

from jimbot.appliance import Appliance, load
from jimbot.appliance.images import Image, reference
from jimbot.appliance.placement import cpu_list

DIGEST = "sha256:" + "a" * 64


def test_every_group_gets_as_many_cores_as_its_share() -> None:
    table = load()
    for name, group in table.groups.items():
        if group.cores:
            assert len(table.placement.cores(name)) == group.cores
    placed = [table.placement.cores(name) for name, group in table.groups.items() if group.cores]
    assert frozenset().union(*placed) == frozenset(range(8))


@pytest.mark.parametrize(
    ("group", "cpus", "complaint"),
    [
        ("graph", "4", "group graph has 2 cores, its placement 1"),
        ("graph", "0,4", "core 0 is placed with"),
        ("graph", "7-8", "outside the machine's 8 cores"),
        ("graph", "four", "no list of cores"),
        ("attic", "4", "names group attic"),
    ],
)
def test_a_placement_that_does_not_agree_is_refused(
    raw_table: Any, group: str, cpus: str, complaint: str
) -> None:
    raw = raw_table()
    raw["placement"]["cpus"][group] = cpus
    with pytest.raises(ValueError, match=complaint):
        Appliance.model_validate(raw)


def test_lists_of_cores_are_read_as_the_kernel_writes_them() -> None:
    assert cpu_list("0-2,5") == {0, 1, 2, 5}
    assert cpu_list("") == frozenset()


def test_a_service_without_an_image_in_the_table_is_refused(raw_table: Any) -> None:
    raw = raw_table()
    raw["services"]["mcp"]["image"] = "jimbot-attic"
    with pytest.raises(ValueError, match="service mcp runs the image jimbot-attic"):
        Appliance.model_validate(raw)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"max_mb": 10, "tag": "1"},
        {"max_mb": 10, "digest": DIGEST},
        {"tag": "1", "digest": "sha256:0", "data": "/data"},
        {"tag": "1"},
        {"tag": "1", "data": "data"},
        {"max_mb": 10, "data": "/data"},
    ],
)
def test_an_image_that_is_neither_ours_nor_anothers_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"image|digest|data"):
        Image.model_validate(row)


def test_a_pinned_image_is_named_by_its_digest() -> None:
    images = {
        "pinned": Image(tag="1.2", digest=DIGEST, data="/data"),
        "tagged": Image(tag="1.2", data="/data"),
        "ours": Image(max_mb=9),
    }
    assert reference(images, "pinned", "0.1") == f"pinned@{DIGEST}"
    assert reference(images, "tagged", "0.1") == "tagged:1.2"
    assert reference(images, "ours", "0.1") == "ours:0.1"


def test_a_server_is_told_how_much_it_may_fill() -> None:
    image = Image(tag="1", data="/data", arguments=("--limit={memory_mb}", "--quiet"))
    assert image.told(921.6) == ["--limit=921", "--quiet"]


def test_an_environment_whose_workers_are_no_range_is_refused(raw_table: Any) -> None:
    raw = raw_table()
    raw["environments"]["staging"]["workers"] = [3, 1]
    with pytest.raises(ValueError, match="no range"):
        Appliance.model_validate(raw)
