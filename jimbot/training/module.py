"""The network: it scores the legal rows, and values the moment.

Each legal row goes through the same small encoder; their mean, the state and what is owned make
the context; the context and a row's encoding make its score. Rows that are not legal are never
computed: the legal ones are gathered into one long batch and scattered back.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule
from ray.rllib.core.columns import Columns
from torch import Tensor, nn

from jimbot.policy import layout

# The score of a row that is not legal; finite, so that no arithmetic makes a NaN of it.
ILLEGAL: Final = -1e9
# What only prepares an action starts out unlikely, or a young policy dithers among it.
_RELUCTANCE: Final = -3.0
# The network that is trained, as `model_config`.
SIZE: Final = {"width": 64, "embedding": 16}


class RowsModule(DefaultPPOTorchRLModule):  # type: ignore[misc]
    """PPO's module over candidate rows; `model_config` has `width` and `embedding`.

    Takes observations of `jimbot/Balatro-v0` in batches, gives `action_dist_inputs` of shape
    (batch, 120) and values of shape (batch,).
    """

    def setup(self) -> None:
        width = self.model_config["width"]
        embedding = self.model_config["embedding"]
        self.items = nn.Embedding(layout.ITEMS, embedding)
        self.owned_items = nn.Embedding(layout.ITEMS, embedding, padding_idx=0)
        self.blocks = nn.Embedding(len(layout.BLOCKS), embedding)
        self.block_bias = nn.Embedding(len(layout.BLOCKS), 1)
        self.row_encoder = nn.Linear(layout.WIDTH + 2 * embedding, width)
        self.context_encoder = nn.Linear(layout.STATE_SIZE + embedding + width, 2 * width)
        self.context_hidden = nn.Linear(2 * width, 2 * width)
        self.row_score = nn.Linear(width, width)
        self.context_score = nn.Linear(2 * width, width, bias=False)
        self.score = nn.Linear(width, 1)
        self.value = nn.Linear(2 * width, 1)
        self.register_buffer("block_of_row", torch.tensor(layout.BLOCK_OF_ROW), persistent=False)
        with torch.no_grad():
            for table in (self.items, self.owned_items, self.blocks):
                table.weight.mul_(0.1)
            self.block_bias.weight.zero_()
            for number, name in enumerate(layout.BLOCKS):
                if name in layout.PREPARING:
                    self.block_bias.weight[number] = _RELUCTANCE
            # Start near to indifference among rows, and with values near to zero.
            self.score.weight.mul_(0.1)
            self.value.weight.mul_(0.1)

    def get_initial_state(self) -> dict[str, Any]:
        return {}

    def get_non_inference_attributes(self) -> list[str]:
        return ["value"]

    def _logits_and_context(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        seen = batch[Columns.OBS]
        legal = seen["action_mask"] > 0
        game, row = legal.nonzero(as_tuple=True)
        block = self.block_of_row[row]
        rows = torch.cat(
            [
                seen["rows"][game, row],
                self.items(seen["items"][game, row].int()),
                self.blocks(block),
            ],
            dim=-1,
        )
        encoded = torch.relu(self.row_encoder(rows))
        pooled = encoded.new_zeros(len(legal), encoded.shape[1]).index_add_(0, game, encoded)
        pooled = pooled / legal.sum(1, keepdim=True).clamp(min=1)
        owned = self.owned_items(seen["owned"].int()).sum(1)
        context = torch.relu(self.context_encoder(torch.cat([seen["state"], owned, pooled], -1)))
        context = torch.relu(self.context_hidden(context))
        hidden = torch.relu(self.row_score(encoded) + self.context_score(context)[game])
        scores = (self.score(hidden) + self.block_bias(block)).squeeze(-1)
        logits = scores.new_full(legal.shape, ILLEGAL).index_put_((game, row), scores)
        return logits, context

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {Columns.ACTION_DIST_INPUTS: self._logits_and_context(batch)[0]}

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        logits, context = self._logits_and_context(batch)
        return {Columns.ACTION_DIST_INPUTS: logits, Columns.EMBEDDINGS: context}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:
        if embeddings is None:
            embeddings = self._logits_and_context(batch)[1]
        values: Tensor = self.value(embeddings).squeeze(-1)
        return values
