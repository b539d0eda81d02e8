"""The parts of README.md that are made: the chapters' table, the models' cards, and the recorded results."""

from pathlib import Path

from ..models.cards import SHIPPED, Card
from ..runtime import write_atomic
from ..training import recorded_toy_runs
from ..training.evaluation import FAKES, FIVE, recorded_reports
from ..training.gemma import recorded_gemma
from ..training.induction import recorded_induction
from ..training.othello import recorded_othello
from ..training.recorded_file import over_seeds
from ..training.tinystories import recorded_tinystories
from .source import Chapter, Problem, heading
from .template import Address, badges

FILE = "README.md"


def verify_readme(root: Path, chapters: list[Chapter], address: Address) -> list[Problem]:
    """Whether README.md says what the sources and records say."""
    path = root / FILE
    if not path.is_file() or path.read_text(encoding="utf-8") == _made(path, chapters, address):
        return []
    return [Problem(FILE, 0, "its tables differ from what the sources and records make: `sae-course build`")]


def write_readme(root: Path, chapters: list[Chapter], address: Address) -> None:
    """Renew the tables in README.md; what stands outside its markers is left alone."""
    path = root / FILE
    if verify_readme(root, chapters, address):
        write_atomic(path, _made(path, chapters, address))


def _made(path: Path, chapters: list[Chapter], address: Address) -> str:
    text = path.read_text(encoding="utf-8")
    made = (
        ("chapters", _chapters(chapters, address)),
        ("models", _models()),
        (
            "results",
            [
                *_results(),
                "",
                *_tinystories(),
                "",
                *_induction(),
                "",
                *_othello(),
                "",
                *_gemma(),
                "",
                *_evaluation(),
            ],
        ),
    )
    for name, lines in made:
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if opening and closing:
            text = before + opening + "\n".join(lines) + "\n" + closing + after
    return text


def _chapters(chapters: list[Chapter], address: Address) -> list[str]:
    """A row per chapter: what it is, how much there is to do, where to open it."""
    lines = ["| chapter | exercises | questions | minutes of exercises | open |", "|---|---|---|---|---|"]
    for chapter in chapters:
        title = (heading(chapter.cells[0].source) or chapter.name).removeprefix("Chapter ")
        tasks = [(task, chapter.cells[task.start].metadata) for task in chapter.tasks]
        count = {kind: sum(task.kind == kind for task, _ in tasks) for kind in ("exercise", "question")}
        minutes = sum(int(metadata.get("minutes", 0)) for _, metadata in tasks)
        lines.append(
            f"| [{title}](chapters/{chapter.name}.ipynb) ([solution](solutions/{chapter.name}.ipynb)) "
            f"| {count['exercise']} | {count['question']} | {minutes} | {badges(chapter.name, address)} |"
        )
    return lines


def _models() -> list[str]:
    """A row per shipped model, from its card: what was measured, and whether that is what was wanted."""
    from ..models.card_view import architecture, duration  # noqa: PLC0415 - it imports rich

    lines = ["| stands in for | how it is built | trained on | measured on held-out data |"]
    lines.append("|---|---|---|---|")
    for path in sorted(SHIPPED.glob("*.json")):
        card = Card.read(path)
        measured = "; ".join(
            f"{one}{'' if one.reached in (None, True) else ' **missed**'}" for one in card.behaviours
        )
        lines.append(
            f"| `{card.name}` | {architecture(card)}; {card.parameters / 1e6:.1f} M parameters "
            f"| {card.training.tokens / 1e6:.0f} M tokens, {duration(card.training.seconds)} | {measured} |"
        )
    return lines


def _results() -> list[str]:
    """Chapter 01's recorded comparison at both scales."""
    scales = {scale: recorded_toy_runs(scale) for scale in ("mini", "full")}
    n_inst, seeds = scales["mini"]["config"]["n_inst"], scales["mini"]["seeds"]
    settings = " and ".join(f"{scale}: {_settings(run['config'])}" for scale, run in scales.items())
    lines = [
        f"Chapter 01, instances (of {n_inst}) in which a live latent has cosine over 0.95 with each of the "
        f"five features, for seeds {', '.join(map(str, seeds))}, and FVU, mean over instances with its range "
        f"over seeds ({settings}). Recorded with the chapter's own solution by "
        "`python -m sae_course.notebooks.record_toy`.",
        "",
        "| | mini: recovered | FVU | full: recovered | FVU |",
        "|---|---|---|---|---|",
    ]
    for method in scales["mini"]["methods"]:
        columns = [method]
        for run in scales.values():
            rows = run["methods"][method]
            fvu = [row["fvu"] for row in rows]
            columns.append(" / ".join(str(row["recovered"]) for row in rows))
            columns.append(f"{sum(fvu) / len(fvu):.3f} ({min(fvu):.3f} to {max(fvu):.3f})")
        lines.append("| " + " | ".join(columns) + " |")
    return lines


def _tinystories() -> list[str]:
    """Chapter 03's record: an SAE trained in two ways, and what its latents tell beside the baselines."""
    runs = {
        "by hand (03a)": recorded_tinystories("by hand").query("variant == 'by hand'"),
        "by hand, no auxiliary loss": recorded_tinystories("by hand").query("variant == 'no auxiliary loss'"),
        "SAELens (03b)": recorded_tinystories("SAELens"),
    }
    columns = {"loss recovered": ".4f", "L0": ".1f", "explained variance": ".4f", "dead": ".3f"}
    lines = [
        "Chapter 03, a TopK SAE on TinyStories-1L's MLP output at mini scale, mean ± standard deviation over "
        "three seeds, on held-out stories. Recorded by `python -m sae_course.notebooks.record_tinystories`.",
        "",
        f"| trained | {' | '.join(columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    for name, rows in runs.items():
        cells = [
            f"{rows[column].mean():{form}} ± {rows[column].std():{form}}" for column, form in columns.items()
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    features = recorded_tinystories("features")
    share = "AUROC ≥ .9, of the readable"
    means = features.groupby(["labels", "source"], sort=False)[share].mean().unstack("source", sort=False)
    lines += [
        "",
        "Share of the labels that a linear probe can read for which one unit has an AUROC of .9 (the "
        "course's target for the stories' features, one half, is **missed**; chapter 03b says what that "
        "teaches):",
        "",
        f"| labels | {' | '.join(means.columns)} |",
        "|---|" + "---|" * len(means.columns),
    ]
    for kind, row in means.iterrows():
        lines.append(f"| {kind} | {' | '.join(f'{value:.0%}' for value in row)} |")
    return lines


def _induction() -> list[str]:
    """Chapter 05's record: pairs of latents whose ablation confirms what the gradients proposed."""
    forms = {
        "loss recovered, layer 0": ".3f",
        "loss recovered, layer 1": ".3f",
        "mean drop": ".2f",
        "control": ".3f",
        "pairs over half": ".1f",
        "their sources": ".1f",
        "rank correlation": ".2f",
    }
    table = over_seeds(recorded_induction("circuits"), "k", forms)
    return [
        "Chapter 05, SAEs on both layers' hook_z of the attention-only model at mini scale, mean ± standard "
        "deviation over three seeds. Of the 30 pairs of latents with the largest attribution: how much of "
        "the layer 1 latent is lost without the layer 0 latent (drop; the control is another latent that "
        "fires as often), and in how many that is more than half. The rank correlation is that of "
        "attribution and ablation over 200 random pairs. Recorded by "
        "`python -m sae_course.notebooks.record_induction`.",
        "",
        f"| k | {' | '.join(forms)} |",
        "|---|" + "---|" * len(forms),
        *(f"| {k} | {' | '.join(row)} |" for k, row in table.iterrows()),
    ]


def _othello() -> list[str]:
    """Chapter 06's record: what dictionaries say about the board, beside their baselines."""
    forms = {
        f"{grade}, {group}": ".3f"
        for grade in ("coverage", "reconstruction")
        for group in ("occupied", "empty", "both")
    }
    table = over_seeds(recorded_othello("dictionaries"), ["hook", "dictionary"], forms)
    return [
        "Chapter 06, Standard SAEs of the Othello model at mini scale, mean ± standard deviation over three "
        "seeds (of SAEs and of games). Coverage is the mean F1 of the best unit for each property of the "
        "board; reconstruction is the F1 of all that units of precision .95 say together. Units are chosen "
        "on other games than they are measured on. Which squares count is in the column's name. The course's "
        "target, an SAE that beats the neurons in both, is reached for reconstruction and **missed** for "
        "coverage, as by the published SAEs; chapter 06 says why. Recorded by "
        "`python -m sae_course.notebooks.record_othello`.",
        "",
        f"| hook point | dictionary | {' | '.join(forms)} |",
        "|---|---|" + "---|" * len(forms),
        *(f"| {hook} | {name} | {' | '.join(row)} |" for (hook, name), row in table.iterrows()),
    ]


def _gemma() -> list[str]:
    """Chapter 07's record: one coefficient at every layer, activations scaled or not."""
    forms = {"L0": ".1f", "explained variance": ".3f", "loss recovered": ".3f"}
    table = over_seeds(recorded_gemma("scaling"), ["activations", "layer"], forms)
    return [
        "Chapter 07, Standard SAEs of the Gemma model's residual stream at mini scale, half of the preset's "
        "tokens, mean ± standard deviation over three seeds: one L1 coefficient at every layer, with the "
        "activations scaled to one mean norm, and as they are. Recorded by "
        "`python -m sae_course.notebooks.record_gemma`. How plans compare with measurements: "
        "[docs/planner.md](docs/planner.md).",
        "",
        f"| activations | layer | {' | '.join(forms)} |",
        "|---|---|" + "---|" * len(forms),
        *(f"| {way} | {layer} | {' | '.join(row)} |" for (way, layer), row in table.iterrows()),
    ]


def _evaluation() -> list[str]:
    """Chapter 08's record: five SAEs, two of them fakes, and what told them apart."""
    metrics = ("L0", "explained variance", "CE recovered", "F1 of the best unit", EFFECT)
    fakes = {name for name, what in FIVE.items() if what in FAKES}
    rows = []
    for name, report in recorded_reports().items():
        cells = [report.of(metric).words for metric in metrics]
        what = "planted fake" if name in fakes else f"of chapter {FIVE[name]}"
        rows.append(f"| {name}, {what} | `{report.hook_point}` of {report.model} | {' | '.join(cells)} |")
    return [
        "Chapter 08's scorecard: five SAEs at mini scale, two of them fakes, on held-out rows; ± is the "
        "standard error over rows, features or latents. The effect is that of ablating a latent, over a "
        "random direction of its length. Recorded by `python -m sae_course.notebooks.record_evaluation`, "
        "with more metrics and all baselines.",
        "",
        f"| SAE | hook point | {' | '.join(metrics)} |",
        "|---|---|" + "---|" * len(metrics),
        *rows,
    ]


EFFECT = "effect, over a random direction's"


def _settings(config: dict[str, float]) -> str:
    return f"{config['steps']:,} steps of {config['batch_size']}, lr {config['lr']:g}"
