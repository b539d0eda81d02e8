"""What a person sees while it trains: a bar in a terminal; curves and a line of words in a notebook."""

import sys
import time
from typing import Any

_EVERY = 3.0  # seconds between two drawings of the curves
_SHOWN = {
    "metrics/l0": "L0",
    "metrics/explained_variance": "explained variance",
    "sparsity/dead_features": "dead",
}
_FORMS = {"L0": "{:.1f}", "explained variance": "{:.2f}", "dead": "{:.0f}"}


class Shown:
    """A listener of a training that shows it.

    Args:
        total: tokens of the whole training.
        done: tokens trained before this session.
        d_sae: latents of the first SAE, to which the dead are compared.
    """

    def __init__(self, total: int, done: int, runs: list[str], d_sae: int) -> None:
        self.total, self.d_sae, self.runs = total, d_sae, runs
        self.last: dict[str, dict[str, float]] = {}
        self.curves: dict[str, tuple[list[int], list[dict[str, float]]]] = {run: ([], []) for run in runs}
        self.began, self.drawn, self.first = time.monotonic(), 0.0, done
        self.display = _notebook_display()
        self.bar: Any = None
        self.line: Any = None
        if self.display is not None:
            self.line = self.display({"text/plain": "training …"}, raw=True, display_id=True)
            self.plot = self.display({"text/plain": ""}, raw=True, display_id=True)
        else:
            from tqdm import tqdm  # noqa: PLC0415 - with the rest of what training needs

            self.bar = tqdm(
                total=total, initial=done, unit="tok", unit_scale=True, disable=None, file=sys.stderr
            )

    def log(self, run: str, step: int, metrics: dict[str, float]) -> None:
        if "metrics/l0" not in metrics:
            return
        self.last[run] = metrics
        steps, values = self.curves[run]
        steps.append(step)
        values.append({name: metrics[name] for name in _SHOWN if name in metrics})
        if self.bar is not None:
            self.bar.set_postfix_str(self.words(), refresh=False)

    def histogram(self, run: str, step: int, name: str, counts: list[float], edges: list[float]) -> None:
        """Not shown."""

    def flush(self) -> None:
        """Nothing is kept back."""

    def step(self, tokens: int) -> None:
        """After each step, with the tokens read so far."""
        if self.bar is not None:
            self.bar.update(tokens - self.bar.n)
        elif time.monotonic() - self.drawn > _EVERY:
            self.drawn = time.monotonic()
            speed = (tokens - self.first) / max(self.drawn - self.began, 1e-9)
            left = (self.total - tokens) / max(speed, 1e-9)
            percent = 100 * min(1.0, tokens / self.total)
            self._say(f"{percent:.0f} % of {self.total:,} tokens, about {left:.0f} s left: {self.words()}")
            self._draw()

    def close(self, words: str) -> None:
        """The last line, in place of the moving one."""
        if self.bar is not None:
            self.bar.close()
            print(words, file=sys.stderr)
        else:
            self._draw()
            self._say(words)

    def words(self) -> str:
        """L0, explained variance and dead latents, of all runs."""
        parts = []
        for name, label in _SHOWN.items():
            values = [metrics[name] for metrics in self.last.values() if name in metrics]
            if not values:
                continue
            form = _FORMS[label]
            low, high = form.format(min(values)), form.format(max(values))
            parts.append(f"{label} {low}" if low == high else f"{label} {low} to {high}")
        return ", ".join(parts) + (f" of {self.d_sae:,}" if parts and "dead" in parts[-1] else "")

    def _say(self, words: str) -> None:
        self.line.update({"text/plain": words}, raw=True)

    def _draw(self) -> None:
        if not any(steps for steps, _ in self.curves.values()):
            return
        from ..figures.runs import live  # noqa: PLC0415 - plotly, only in a notebook

        curves = {
            label: {
                run: (steps, [one.get(name, float("nan")) for one in values])
                for run, (steps, values) in self.curves.items()
            }
            for name, label in _SHOWN.items()
        }
        # A figure that is displayed itself would come anew each time, below the last.
        self.plot.update(live(curves)._repr_mimebundle_(), raw=True)


def _notebook_display() -> Any:
    """IPython's ``display`` inside a notebook's kernel, else None."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython import get_ipython  # noqa: PLC0415 - it is loaded there
    from IPython.display import display  # noqa: PLC0415

    return display if get_ipython() is not None else None
