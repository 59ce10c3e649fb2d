"""PPO's learner, with what RLlib's lacks: a warm-up of the values, and an entropy bonus to steer.

An imitated policy comes with values of its teacher's games. Were PPO to start from them, its first
advantages would be wrong throughout, and undo what was imitated; so at first only values learn.
"""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from ray.rllib.utils.schedules.scheduler import Scheduler

POLICY = "default_policy"


class RowsLearner(PPOTorchLearner):  # type: ignore[misc]
    """See `set_warming` and `set_entropy_coefficient`."""

    warming = False

    def set_warming(self, warming: bool) -> None:
        """While warming up, the value's last layer alone learns."""
        self.warming = warming

    def set_entropy_coefficient(self, coefficient: float) -> None:
        self.entropy_coeff_schedulers_per_module[POLICY] = Scheduler(
            fixed_value_or_schedule=coefficient, framework="torch", device=self._device
        )

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return list(self._optimizer_parameters)

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Any], fwd_out: dict[str, Any]
    ) -> Any:
        if not self.warming:
            with torch.no_grad():
                kl = divergence(self.module[module_id], batch, fwd_out[Columns.ACTION_DIST_INPUTS])
            # Beside RLlib's own, which is 0 without the loss of that name.
            self.metrics.log_dict({"kl": kl}, key=module_id, window=1)
            return super().compute_loss_for_module(
                module_id=module_id, config=config, batch=batch, fwd_out=fwd_out
            )
        # Gradients of zero, rather than none, for all but the value's own layer.
        values = self.module[module_id].compute_values(
            batch, embeddings=fwd_out[Columns.EMBEDDINGS].detach()
        )
        error = (values - batch[Postprocessing.VALUE_TARGETS]) ** 2
        if Columns.LOSS_MASK in batch:
            error = error[batch[Columns.LOSS_MASK]]
        loss = error.mean()
        self.metrics.log_dict({"vf_loss": loss}, key=module_id, window=1)
        return loss + 0.0 * fwd_out[Columns.ACTION_DIST_INPUTS].clamp(min=-1.0).sum()


def divergence(module: Any, batch: dict[str, Any], logits: torch.Tensor) -> torch.Tensor:
    """KL(old ‖ new) in nats, of the policy that played `batch` and the one that gives `logits`.

    Estimated from the actions that were played, without bias and never below 0 (Schulman 2020,
    "Approximating KL Divergence").
    """
    now = module.get_train_action_dist_cls().from_logits(logits)
    log_ratio = now.logp(batch[Columns.ACTIONS]) - batch[Columns.ACTION_LOGP]
    moved = log_ratio.exp() - 1 - log_ratio
    if Columns.LOSS_MASK in batch:
        moved = moved[batch[Columns.LOSS_MASK]]
    mean: torch.Tensor = moved.mean()
    return mean
