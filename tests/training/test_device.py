"""Device placement, on a torch that has a GPU and one that has none."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from jimbot.training import device

MB = 1 << 20


class FakeTensor:
    def __init__(self, ndim: int = 1) -> None:
        self.ndim = ndim
        self.device = "cuda"

    def to(self, device: str) -> FakeTensor:
        moved = FakeTensor(self.ndim)
        moved.device = device
        return moved


def fake_torch(*, gpu: bool = True, broken: bool = False) -> Any:
    done: list[Any] = []

    def properties(_: int) -> Any:
        if broken:
            raise RuntimeError("CUDA driver version is insufficient")
        return SimpleNamespace(name="RTX 3090", total_memory=24576 * MB)

    return SimpleNamespace(
        done=done,
        __version__="2.13.1",
        version=SimpleNamespace(cuda="12.6"),
        Tensor=FakeTensor,
        cuda=SimpleNamespace(
            is_available=lambda: gpu,
            get_device_properties=properties,
            mem_get_info=lambda: (20000 * MB, 24576 * MB),
            set_per_process_memory_fraction=lambda share: done.append(("fraction", share)),
            empty_cache=lambda: done.append("empty_cache"),
        ),
    )


def test_training_is_held_to_its_share_of_the_gpu() -> None:
    torch = fake_torch()
    assert device.place(20480, torch) == "cuda"
    assert torch.done == [("fraction", pytest.approx(20480 / 24576))]


def test_a_smaller_gpu_is_taken_whole() -> None:
    torch = fake_torch()
    device.place(99999, torch)
    assert torch.done == [("fraction", 1.0)]


def test_without_a_gpu_it_is_the_cpu() -> None:
    torch = fake_torch(gpu=False)
    assert device.place(20480, torch) == "cpu"
    assert torch.done == []


def test_a_gpu_that_does_not_work_is_left_for_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    assert device.place(20480, fake_torch(broken=True)) == "cpu"
    assert "driver version is insufficient" in caplog.text


def test_it_describes_a_gpu() -> None:
    told = device.describe(fake_torch())
    assert told["device"] == "cuda"
    assert (told["name"], told["memory_mb"], told["free_mb"]) == ("RTX 3090", 24576, 20000)


def test_it_describes_its_absence_and_a_broken_one() -> None:
    assert device.describe(fake_torch(gpu=False))["reason"] == "torch sees no GPU"
    told = device.describe(fake_torch(broken=True))
    assert told["device"] == "cpu"
    assert "driver version is insufficient" in told["reason"]


def test_without_torch_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    told = device.describe()
    assert told["device"] == "none"
    assert "jimbot[train]" in told["reason"]


def test_this_machine_can_be_described() -> None:
    assert device.describe()["device"] in ("cpu", "cuda")


class FakeModule:
    device = "cuda"

    def to(self, device: str) -> None:
        self.device = device


def test_a_pause_gives_the_gpu_back_and_takes_it_again() -> None:
    torch = fake_torch()
    module = FakeModule()
    state = {"exp_avg": FakeTensor(), "step": FakeTensor(0)}
    learner = SimpleNamespace(
        module={"default_policy": module},
        optimizers=lambda: [SimpleNamespace(state={"weight": state})],
    )
    device.give_back(learner, torch)
    assert module.device == state["exp_avg"].device == "cpu"
    assert state["step"].device == "cuda"  # as it was: torch keeps it where it wants it
    assert torch.done == ["empty_cache"]
    device.take_back(learner, torch)
    assert module.device == state["exp_avg"].device == "cuda"
