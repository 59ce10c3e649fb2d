"""Where the network computes: on the GPU within its share of the memory, else on the CPU.

`describe` is for people and `jimbot doctor`; `give_back` and `take_back` are for pauses of what was
placed on a GPU.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from jimbot.errors import MissingExtra

_log = logging.getLogger(__name__)

_MB: Final = 1 << 20


def place(share_mb: int, torch: Any = None) -> str:
    """Choose the device of this process, and hold it to `share_mb` of the GPU's memory.

    Args:
        torch: in the tests, another than torch.

    Returns:
        `cuda`, or `cpu` where there is no GPU, or none that works.
    """
    torch = torch or _torch()
    if not torch.cuda.is_available():
        return "cpu"
    try:
        total_mb = torch.cuda.get_device_properties(0).total_memory / _MB
        torch.cuda.set_per_process_memory_fraction(min(1.0, share_mb / total_mb))
    except RuntimeError as error:  # see `describe`
        _log.warning("training on the CPU: the GPU cannot be used: %s", error)
        return "cpu"
    return "cuda"


def describe(torch: Any = None) -> dict[str, Any]:
    """What there is: `device` (`cuda`, `cpu` or `none`), `reason`, and of a GPU its figures.

    Never raises: where torch is not installed, that is the reason.
    """
    try:
        torch = torch or _torch()
    except MissingExtra as error:
        return {"device": "none", "reason": str(error)}
    try:
        if not torch.cuda.is_available():
            return {
                "device": "cpu",
                "reason": "torch sees no GPU",
                "torch": str(torch.__version__),
                "built_for_cuda": torch.version.cuda,
            }
        properties = torch.cuda.get_device_properties(0)
        free, total = torch.cuda.mem_get_info()
    except RuntimeError as error:  # a driver that is too old, a GPU that has fallen off the bus
        return {"device": "cpu", "reason": f"the GPU cannot be used: {error}"}
    return {
        "device": "cuda",
        "reason": "",
        "torch": str(torch.__version__),
        "built_for_cuda": torch.version.cuda,
        "name": properties.name,
        "memory_mb": total // _MB,
        "free_mb": free // _MB,
    }


def give_back(learner: Any, torch: Any = None) -> None:
    """Move a learner's network and optimizers off the GPU, and let others have the memory."""
    torch = torch or _torch()
    _move(learner, "cpu", torch)
    torch.cuda.empty_cache()


def take_back(learner: Any, torch: Any = None) -> None:
    """Move them to the GPU again."""
    _move(learner, "cuda", torch or _torch())


def _move(learner: Any, device: str, torch: Any) -> None:
    for module in learner.module.values():
        module.to(device)
    for optimizer in learner.optimizers():
        for state in optimizer.state.values():
            for name, value in state.items():
                # Adam's count of steps stays where torch wants it, on the CPU.
                if isinstance(value, torch.Tensor) and value.ndim:
                    state[name] = value.to(device)


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingExtra("torch", "train") from None
    return torch
