"""A plan: memory, time, money and tokens of a run on a machine, and what to change where it doesn't fit."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from ...runtime import CourseError
from .advice import Change, advice, fits
from .calibration import measured
from .machines import GIB, Machine, smallest_above
from .memory import FLOAT, PHASES, Part, buffer_bytes, devices, parts, peak, sum_of
from .practice import SOURCE, tokens_by_practice
from .speed import Speed, speed
from .workload import CPU, GPU, Workload, licence

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Plan:
    """What a run will take. Shows itself as text and, in a notebook, as tables."""

    name: str
    work: Workload
    machine: Machine
    parts: tuple[Part, ...]
    speed: Speed
    changes: tuple[Change, ...]
    """That make it fit; empty where it fits as it is."""
    changed: Workload
    """The run with them."""
    price: float | None = None
    """Of an hour, in any currency."""

    @property
    def fits(self) -> bool:
        """Whether the GPU has room for every phase; a CPU's memory is the learner's to know."""
        return fits(self.work, self.machine)

    @property
    def fits_changed(self) -> bool:
        """Whether it does with the changes."""
        return fits(self.changed, self.machine)

    @property
    def fullest(self) -> str:
        """The GPU on which most lies at a peak; the computer where there is none."""
        there = [device for device in devices(list(self.parts)) if device != CPU]
        return max(there, key=lambda device: peak(list(self.parts), device), default=CPU)

    @property
    def peak(self) -> int:
        """Bytes on that device, in the phase that takes most."""
        return peak(list(self.parts), self.fullest)

    @property
    def hours(self) -> float:
        """Of the whole run, evaluations included."""
        return self.speed.hours(self.work.training_tokens)

    @property
    def cost(self) -> float | None:
        """In the currency of the price; None without one."""
        return None if self.price is None else self.hours * self.price

    @property
    def disk(self) -> dict[str, int]:
        """Bytes: a checkpoint, the finished SAE, and all activations if they were kept (float32)."""
        sae = FLOAT * self.work.sae_parameters * self.work.n_saes
        return {
            "checkpoint": 3 * sae + buffer_bytes(self.work),
            "finished SAE": sae,
            "cached activations": FLOAT * self.work.d_in * self.work.training_tokens,
        }

    @property
    def tokens_by_practice(self) -> float | None:
        """What was published for about this width; None where nothing was. See `practice`."""
        return tokens_by_practice(self.work.d_sae)

    def bytes_by_phase(self, device: str | None = None) -> dict[str, dict[str, int]]:
        """Part -> phase -> bytes, on one device (`fullest`, if not given)."""
        device = device or self.fullest
        found: dict[str, dict[str, int]] = {}
        for part in self.parts:
            if part.device == device:
                row = found.setdefault(part.name, {})
                row[part.phase] = row.get(part.phase, 0) + part.bytes
        return found

    def table(self, device: str | None = None) -> "pd.DataFrame":
        """The same in GiB, with a row of sums."""
        import pandas as pd  # noqa: PLC0415 - half a second

        frame = pd.DataFrame(self.bytes_by_phase(device)).T.fillna(0) / GIB
        frame = frame[[phase for phase in PHASES if phase in frame.columns]]
        frame.loc["together"] = frame.sum()
        return frame

    def figure(self) -> "go.Figure":
        """A bar for each phase, in parts, and what the machine has."""
        from ...figures.memory import draw_memory  # noqa: PLC0415 - plotly

        return draw_memory(self.bytes_by_phase(), self.machine.memory, self._title())

    def _title(self) -> str:
        phase = max(PHASES, key=lambda one: sum_of(list(self.parts), self.fullest, one))
        title = f"{self.name} on {self.machine.what}: {phase} takes most, {self.peak / GIB:.1f} GiB"
        if self.machine.memory is not None:
            title += f" of {self.machine.memory / GIB:.1f}"
        return title

    def as_dict(self) -> dict[str, Any]:
        """For JSON. Bytes, seconds, hours."""
        return {
            "run": self.name,
            "gpu": self.machine.name,
            "fits": self.fits,
            "peak_bytes": self.peak,
            "memory_bytes": self.machine.memory,
            "parts": [vars(part) for part in self.parts],
            "changes": [vars(change) for change in self.changes],
            "fits_changed": self.fits_changed,
            "tokens": self.work.training_tokens,
            "tokens_per_second": self.speed.tokens_per_second,
            "hours": self.hours,
            "cost": self.cost,
            "measured": self.speed.measured,
            "disk_bytes": self.disk,
            "tokens_by_practice": self.tokens_by_practice,
        }

    def __str__(self) -> str:
        from tabulate import tabulate  # noqa: PLC0415 - only here

        lines = [f"{self.name} on {self.machine.what}", ""]
        for device in devices(list(self.parts)):
            by_phase = self.bytes_by_phase(device)
            phases = [phase for phase in PHASES if any(phase in row for row in by_phase.values())]
            rows = [[name, *(_gib(row.get(phase, 0)) for phase in phases)] for name, row in by_phase.items()]
            rows.append(["together", *(_gib(sum_of(list(self.parts), device, phase)) for phase in phases)])
            lines += [
                tabulate(
                    rows,
                    [f"GiB on the {_called(device)}", *phases],
                    colalign=("left", *["right"] * len(phases)),
                    disable_numparse=True,
                )
            ]
            lines.append("")
        lines += self._verdict()
        lines += ["", *(f"{name:22}{value}" for name, value in self._numbers())]
        return "\n".join(lines)

    def _verdict(self) -> list[str]:
        """Whether it fits, and what to change."""
        if self.machine.memory is None:
            return [f"Peak {self.peak / GIB:.1f} GiB: have that free, and some more."]
        room = f"{self.peak / GIB:.1f} of {self.machine.memory / GIB:.1f} GiB"
        if self.fits:
            return [f"✔ fits: {room}."]
        lines = [f"✘ does not fit: {room}."]
        if self.changes:
            words = "It fits with" if self.fits_changed else "Even this is not enough:"
            lines.append(words)
            lines += [f"  {change}  {_saving(change)}; costs {change.costs}." for change in self.changes]
        if not self.fits_changed or any(change.setting == "d_sae" for change in self.changes):
            gpu = smallest_above(self.peak)
            lines.append(
                f"As it is, it fits {gpu.what}."
                if gpu
                else "As it is, it fits no GPU that the planner knows."
            )
        return lines

    def _numbers(self) -> list[tuple[str, str]]:
        work, fast = self.work, self.speed
        found = [
            (
                "tokens",
                f"{_big(work.training_tokens)} in {work.steps:,} steps of {work.train_batch_size_tokens:,}",
            ),
            ("by practice", self._practice()),
            (
                "work of a token",
                f"{_big(fast.model_flops)} FLOPs in the model, {_big(fast.sae_flops)} in "
                f"{'the SAE' if work.n_saes == 1 else f'{work.n_saes} SAEs'}",
            ),
            (
                "tokens a second",
                f"{_big(fast.tokens_per_second)}; {fast.model_share:.0%} of the time is the model's",
            ),
            ("time", _time(self.hours)),
        ]
        if self.cost is not None:
            found.append(("cost", f"{self.cost:,.2f} at {self.price:g} an hour"))
        disk = self.disk
        found.append(
            (
                "disk",
                f"{_big(disk['checkpoint'])}B a checkpoint, {_big(disk['finished SAE'])}B the finished SAE; "
                f"{_big(disk['cached activations'])}B if all activations were cached",
            )
        )
        found.append(("speed known from", fast.measured or _unmeasured(self.machine)))
        if where := licence(work.model) if work.scale == "full" else "":
            found.append(("licence", f"accept it at {where}, then: hf auth login"))
        return found

    def _practice(self) -> str:
        tokens = self.tokens_by_practice
        if tokens is None:
            return f"nothing is published for {self.work.d_sae:,} latents ({SOURCE})"
        return f"{_big(tokens)} for {self.work.d_sae:,} latents ({SOURCE})"

    def _repr_html_(self) -> str:
        verdict = "<br>".join(escape(line) for line in self._verdict())
        numbers = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in self._numbers()
        )
        tables = "".join(
            f"<p>GiB on the {escape(_called(device))}</p>{self.table(device).style.format(_cell).to_html()}"
            for device in devices(list(self.parts))
        )
        return (
            f"<p><b>{escape(self.name)}</b> on {escape(self.machine.what)}</p>{tables}<p>{verdict}</p>"
            f"<table><tbody>{numbers}</tbody></table>"
        )


def make(name: str, work: Workload, machine: Machine, price: float | None) -> Plan:
    """The plan of a run that can run.

    Raises:
        CourseError: when it can't, or the price is none.
    """
    if price is not None and not 0 <= price < float("inf"):
        raise CourseError(f"The price of an hour is a number of at least 0, not {price}.")
    work = work.checked()
    changes, after = advice(work, machine)
    return Plan(name, work, machine, tuple(parts(work)), speed(work, machine), tuple(changes), after, price)


def _unmeasured(machine: Machine) -> str:
    assert measured(machine.name) is None
    return (
        f"nobody has measured {machine.what} with this course: its data sheet, and assumed efficiencies. On "
        "the machine itself, sae-course plan --calibrate measures"
    )


def _called(device: str) -> str:
    return {GPU: "GPU", CPU: "computer"}.get(device, device)


def _saving(change: Change) -> str:
    """Of the peak; or of a phase that a larger one hid."""
    return f"saves {_gib(change.saves)} GiB" if change.saves else "lets another phase fit"


def _cell(gib: float) -> str:
    return _gib(gib * GIB)


def _gib(size: float) -> str:
    if not size:
        return ""
    return f"{size / GIB:.2f}" if size >= 0.005 * GIB else "<0.01"


def _big(number: float) -> str:
    """``1.2 G``: with the SI's letter."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.3g} "


def _time(hours: float) -> str:
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} s"
    if hours < 2:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 72 else f"{hours:.0f} h, {hours / 24:.1f} days"
