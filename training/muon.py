"""Muon: momentum whose every matrix is replaced by its nearest orthogonal one, on one process or shared by several.

For these small networks it needs a fraction of AdamW's steps, for convolutions as for attention. A tensor of more
than two axes is a matrix of (outputs, everything else). The orthogonal factor comes from a Newton-Schulz iteration
(Jordan et al., 2024) on stacks of matrices of one shape; with several processes each iterates over its share of
every stack and the results are added up, because the iteration is the expensive part.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
import torch.distributed as dist

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
MOMENTUM, ROUNDS = 0.95, 5


def orthogonal(stack: torch.Tensor) -> torch.Tensor:
    """Matrices (n, rows, columns) with their singular values pushed towards one."""
    tall = stack.shape[1] > stack.shape[2]
    x: torch.Tensor = stack.mT if tall else stack
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Muon over matrices; `ranks` > 1 shares the work through the default process group."""

    def __init__(self, params: Iterable[torch.nn.Parameter], lr: float, rank: int = 0, ranks: int = 1) -> None:
        super().__init__(params, {"lr": lr})
        self.rank, self.ranks = rank, ranks

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update; parameters without a gradient stay."""
        for group in self.param_groups:
            stacks: dict[tuple[int, int], list[torch.Tensor]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    stacks[(weight.shape[0], weight[0].numel())].append(weight)
            self._update(list(stacks.values()), group["lr"])

    def _update(self, stacks: list[list[torch.Tensor]], lr: float) -> None:
        directions = []
        for weights in stacks:
            pushed = torch.stack([self._push(weight) for weight in weights])
            mine = torch.zeros_like(pushed)
            mine[self.rank :: self.ranks] = orthogonal(pushed[self.rank :: self.ranks])
            directions.append(mine)
        if self.ranks > 1:
            flat = torch.cat([d.flatten() for d in directions]).cpu()
            dist.all_reduce(flat)
            for direction, part in zip(directions, flat.split([d.numel() for d in directions]), strict=True):
                direction.copy_(part.view_as(direction))
        for weights, direction in zip(stacks, directions, strict=True):
            # Keeps the size of an output's change independent of the matrix' shape.
            size = max(1.0, direction.shape[1] / direction.shape[2]) ** 0.5
            for weight, change in zip(weights, direction, strict=True):
                weight.add_(change.view_as(weight), alpha=-lr * size)

    def _push(self, weight: torch.Tensor) -> torch.Tensor:
        """The Nesterov momentum of one weight as a matrix."""
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        momentum: torch.Tensor = state["momentum"]
        momentum.lerp_(weight.grad, 1 - MOMENTUM)  # type: ignore[arg-type]
        return torch.lerp(weight.grad, momentum, MOMENTUM).flatten(1)  # type: ignore[arg-type]
