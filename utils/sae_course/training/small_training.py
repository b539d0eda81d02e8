"""Chapter 07's training in one object: small enough to be stopped, saved and compared bit for bit."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float


class _SAE(nn.Module):
    """z = ReLU((x - b_dec) W_enc + b_enc), x̂ = z W_dec + b_dec."""

    def __init__(self, d_in: int, d_sae: int, draws: torch.Generator) -> None:
        super().__init__()
        start = torch.randn(d_sae, d_in, generator=draws)
        start /= start.norm(dim=1, keepdim=True)
        self.W_enc, self.W_dec = nn.Parameter(start.T.contiguous()), nn.Parameter(start.clone())
        self.b_enc, self.b_dec = nn.Parameter(torch.zeros(d_sae)), nn.Parameter(torch.zeros(d_in))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        acts = ((x - self.b_dec) @ self.W_enc + self.b_enc).relu()
        return acts, acts @ self.W_dec + self.b_dec


class SmallTraining:
    """A training of a Standard SAE on activations in memory, on the CPU.

    Everything in it acts on the weights: the coefficient rises with ``steps``, the data come in an order
    drawn anew at the end of each pass, and a latent that hasn't fired for ``window`` steps begins again.

    Args:
        x: activations, of which there are at least as many as a batch.
        seed: of the first weights and of every draw.
    """

    def __init__(
        self,
        x: "Float[Tensor, 'n d_in']",
        *,
        d_sae: int = 64,
        batch: int = 64,
        lr: float = 3e-3,
        l1: float = 1.0,
        total: int = 200,
        window: int = 20,
        seed: int = 0,
    ) -> None:
        if len(x) < batch:
            raise ValueError(f"a batch is {batch} activations, and there are {len(x)}")
        self.x, self.batch, self.l1, self.total, self.window = x, batch, l1, total, window
        self.draws = torch.Generator().manual_seed(seed)
        self.sae = _SAE(x.shape[1], d_sae, self.draws)
        self.optimizer = torch.optim.Adam(self.sae.parameters(), lr=lr)
        self.schedule = torch.optim.lr_scheduler.LinearLR(self.optimizer, 1.0, 0.1, total)
        self.order, self.position = torch.randperm(len(x), generator=self.draws), 0
        self.since_fired = torch.zeros(d_sae, dtype=torch.long)
        self.steps = 0

    def step(self) -> float:
        """One step of the optimiser; the loss before it."""
        x = self.x[self._next()]
        acts, out = self.sae(x)
        coefficient = self.l1 * min(1.0, (self.steps + 1) / (self.total / 4))
        sparsity = (acts * self.sae.W_dec.norm(dim=1)).sum(dim=1).mean()
        loss = (out - x).square().sum(dim=1).mean() + coefficient * sparsity
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.steps += 1
        self.since_fired = torch.where((acts > 0).any(dim=0), 0, self.since_fired + 1)
        self._revive()
        return loss.item()

    def run(self, steps: int) -> None:
        """That many steps."""
        for _ in range(steps):
            self.step()

    def _next(self) -> Tensor:
        """The places of the next batch; a new order when this one has no whole batch left."""
        if self.position + self.batch > len(self.order):
            self.order, self.position = torch.randperm(len(self.x), generator=self.draws), 0
        self.position += self.batch
        return self.order[self.position - self.batch : self.position]

    @torch.no_grad()
    def _revive(self) -> None:
        """Let latents that were silent for a window begin again in random directions."""
        dead = self.since_fired >= self.window
        n = int(dead.sum())
        if n:
            fresh = torch.randn(n, self.x.shape[1], generator=self.draws)
            fresh /= fresh.norm(dim=1, keepdim=True)
            self.sae.W_dec[dead], self.sae.W_enc[:, dead] = fresh, fresh.T
            self.sae.b_enc[dead], self.since_fired[dead] = 0.0, 0
