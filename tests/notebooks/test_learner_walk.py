"""A learner's way through the exercise notebooks: nothing written, a wrong try, then the folded solution.

Only imports, definitions and checks are run, not the experiments between them: nbmake runs those.
"""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import SingletonConfigurable

from sae_course.notebooks import files
from sae_course.notebooks.source import parse

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "solutions").glob("*.py"))

# For each exercise, one slip: what is replaced in the right answer, and what the check must say of it.
SLIPS = {
    "1.1": ("< feature_probability", "> feature_probability", "probab"),
    "1.2": (") + b)", "))", "b"),
    "1.3": ("with torch.no_grad():", "if True:", "gradient|tracked"),
    "1.4": ("random(n_inst, d_sae, d_in)", "random(n_inst, d_in, d_sae)", "W_dec"),
    "1.5": ("dim=-1, keepdim", "dim=1, keepdim", "axis|latents|d_in"),
    "1.6": ("h - sae.b_dec", "h", "b_dec"),
    "1.7": (".mean(dim=-1).mean(dim=0)", ".sum(dim=-1).mean(dim=0)", "sum"),
    "1.8": ("total.sum()", "total.mean()", "mean|instance"),
    "1.9": ("silent + 1)", "silent)", "silent|revive|dead"),
    "1.10": ("maximize=True", "maximize=False", "maximi|worst|assign"),
    "1.11": ("- h.mean(dim=0)", "- h.mean()", "mean"),
    "1.12": ("masked_fill_(mask, 0)", "masked_fill_(mask, 1)", "exp_avg|moment|Adam"),
    "1.13": ("loss.pow(2).T", "loss.T", "squar"),
    "1.14": (".detach()", "", "detach|gradient"),
    "2a.1": (" * norms[:, None]", "", "lengths are missing"),
    "2a.2": ("r_mag.exp()", "r_mag", "exponential is missing"),
    "2a.3": (" + b_dec[:, None]", "", "lacks b_dec"),
    "2a.4": ("bandwidth / 2", "bandwidth", "whole bandwidth to either side"),
    "2a.5": ("F.relu(values)", "values", "negative ones"),
    "2a.6": ("F.normalize(W_dec, dim=-1)", "W_dec", "not at unit length"),
    "2a.7": ("k * pre.shape[1]", "k", "only k are kept"),
    "2a.8": ("torch.where(latents > 0, latents, torch.inf)", "latents", "positive"),
    "2a.9": ("latents[..., :width] @ W_dec[:, :width]", "latents @ W_dec", "every width has all"),
    "2a.10": (".abs()", "", "has its sign"),
    "2b.1": ("F.relu(across), F.relu(-across)", "across, -across", "ReLU is missing"),
    "2b.2": ("p**2 / 3", "p**2 / 2", "1/3 apart"),
    "2b.3": (".sqrt()", "", "square root is missing"),
    "2b.4": (".triu(1)", "", "counted twice"),
    "2b.5": ("h - b_dec[:, None]", "h", "b_dec is not subtracted"),
    "2b.6": (".detach()", "", "tracked for gradients"),
    "2b.7": (" - own", "", "the diagonal is in the sum"),
    "2b.8": ("parent & ~child", "parent", "holds all samples with the parent"),
    "2b.9": (".amax(2)", ".amax(1)", "for each latent of the .other"),
    "3a.1": ("tokens[:, 1:, None]", "tokens[:, :-1, None]", "token p, which the model was given"),
    "3a.2": (".flatten(0, 1)", "", "rows and positions are not joined"),
    "3a.3": ("pieces = [pool[served:]]", "pieces = [pool]", "served twice"),
    "3a.4": (" ** 0.5", "", "square root"),
    "3a.5": ("values.relu()", "values", "negative ones"),
    "3a.6": ("(step + 1) / warm_up", "step / warm_up", "counts from 0"),
    "3a.7": (".detach()", "", "detach it"),
    "3a.8": ("silent >= config", "silent > config", ">="),
    "3a.9": ("sae.decode(sae.encode(activation))", "sae.encode(activation)", "RuntimeError"),
    "3a.10": ("/ (ablated - clean)", "/ ablated", "divided by the ablated"),
    "3a.11": (".log10()", ".log()", "natural"),
    "3b.1": ("hand.n_steps * hand.batch_size", "hand.n_steps", "training_tokens"),
    "3b.2": ("error.sum() / from_zero.sum()", "error.sum() / from_mean.sum()", "about_zero|zero"),
    "3b.3": ("(below + not_above).double() / 2", "not_above.double()", "[Tt]ie"),
    "3b.4": (
        "latents[::2].flatten(0, 1), label[::2].reshape",
        "latents.flatten(0, 1), label.reshape",
        "all rows|chosen on",
    ),
    "3b.5": ("sae.W_dec[latents]", "sae.W_enc.T[latents]", "W_enc|encoder"),
    "3b.6": ("activation + sae.decode(changed) - sae.decode(latents)", "sae.decode(changed)", "error"),
    "4.1": ("(len(healthy) - 1)", "len(healthy)", "n - 1|n − 1|sample"),
    "4.2": ('direction="high"', 'direction="low"', "it is high, not low"),
    "4.3": ("dictionary too wide", "learning rate too high", "right. But why"),
    "4.4": ("learning rate too low", "dictionary too narrow", "right. But why"),
    "4.5": ("dictionary too narrow", "sparsity coefficient too small", "right. But why"),
    "4.6": ("learning rate too high", "dictionary too wide", "right. But why"),
    "4.7": ('symptom="ce_loss_without_sae"', 'symptom="l0"', "it is low, not high"),
    "4.8": ('"run 2": {"d_sae": 512}', '"run 2": {"d_sae": 4096}', "run 2"),
    "4.9": ("if seen.dead > 0.12:", "if seen.dead < 0.12:", "right on|of 42"),
    "4.10": (" ** 2", "", "length"),
    "5.1": ("followed[..., 2:]", "followed", "before the second list are counted"),
    "5.2": (".pow(2)", ".abs()", "shares of the absolute values"),
    "5.3": ("sizes[:, None] * (means - mean)", "(means - mean)", "each group counts once"),
    "5.4": ("(s - f) / (s + f)", "s / (s + f)", "above stands s − f"),
    "5.5": ('kept["b"][where].sum()', 'kept["b"].sum()', "`where` is ignored"),
    "5.6": (
        "z + source.sae.decode(changed) - source.sae.decode(a)",
        "source.sae.decode(changed)",
        "the SAE's error is dropped",
    ),
    "5.7": ("(k + 0.5)", "(k + 1)", "at the end of each step"),
    "5.8": ('f"hook_{part}"', '"hook_q"', 'replace "hook_z" by'),
    "5.9": ("pattern * torch", "torch", "the pattern is not used"),
    "6.1": ("found.append(board * side)", "found.append(board * -side)", "plays next|just moved"),
    "6.2": ("board.long() % 3", "board.long() + 1", "0 is empty"),
    "6.3": ("(fired + n_true)", "(fired * n_true)", "F1|f1"),
    "6.4": ("measuring.transpose(1, 2)", "choosing.transpose(1, 2)", "choosing"),
    "6.5": ("measuring.flatten(0, 1)", "choosing.flatten(0, 1)", "choosing"),
    "6.6": ("other_fires.float() @", "fires.float() @", "first games|other"),
    "6.7": ("edited = board.copy()", "edited = board", "copy|changed"),
    "6.8": (
        "up, down = mean_over(gained) - mean_over(rest)",
        "up, down = mean_over(gained)",
        "left alone|rest",
    ),
    "7.1": ("rest = acts[:, :, 1:]", "rest = acts", "first position|BOS"),
    "7.2": ("weights.b_dec / scale", "weights.b_dec", "b_dec"),
    "7.3": ("4 * 4 * (2", "4 * (2", "sae|gradient|Adam"),
    "7.4": ("6 * 2 * d_in", "2 * 2 * d_in", "backward|forward"),
    "7.5": ("eval_batch_size_prompts=1", "eval_batch_size_prompts=4", "fit|GiB"),
    "7.6": ("return copy.deepcopy(", "return (", "reference|changed|copy"),
    "7.7": ("n_saes * (pass_over + sae)", "n_saes * sae + pass_over", "read|cache"),
    "8.1": ("(x - x.mean(0))", "(x - x.mean())", "mean"),
    "8.2": ("log_p.exp() * (log_p - log_q)", "log_q.exp() * (log_q - log_p)", "KL|weights|other way"),
    "8.3": (" / len(apart) ** 0.5", "", "root|standard error|deviation"),
    "8.4": (".abs()", "", "abs|sign|below"),
    "8.5": (" / W_dec.norm(dim=-1)", "", "cosine|length"),
    "8.6": ("a[fires].argsort()", "a[fires].argsort(descending=True)", "weak|order|strong"),
    "8.7": ("return 0.0", "return float('nan')", "0|NaN|vary"),
    "8.8": ("/ change.shape[-1]", "", "vocabulary|share|V"),
    "8.9": ("(change * (gradient @ W_dec.T)).abs()", "change.abs()", "gradient|effect"),
    "8.10": ("** 0.5", "", "root|square"),
}


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An IPython of its own, with its own progress."""
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path))
    SingletonConfigurable.clear_instance()
    shell = InteractiveShell.instance()
    yield shell
    InteractiveShell.clear_instance()


def solution_beneath(cells: list, index: int) -> str:
    """The folded solution of the exercise cell at ``index``."""
    for cell in cells[index + 1 :]:
        if cell.cell_type == "markdown" and "<summary>Solution" in cell.source:
            return re.search(r"```python\n(.*?)```", cell.source, re.DOTALL)[1]
    raise AssertionError("no folded solution beneath the exercise")


def try_cell(shell: InteractiveShell, code: str, capsys: pytest.CaptureFixture[str]) -> tuple[bool, str]:
    """Whether a cell ran to its end, and what a person would read beneath it."""
    capsys.readouterr()
    result = shell.run_cell(code)
    shown = capsys.readouterr()
    return result.success, re.sub(r"\x1b\[[0-9;]*m", "", shown.out + shown.err)


def definitions_only(code: str) -> str:
    """A cell's imports, definitions and settings, without its experiments."""
    kept = [
        node
        for node in ast.parse(code).body
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)
        or (
            isinstance(node, ast.Assign)
            and re.search("(toy|hand|variants|wrong_answers)_config|open_ward", ast.unparse(node))
        )
        or (isinstance(node, ast.Assign) and ast.unparse(node).startswith("device"))
    ]
    return "\n\n".join(map(ast.unparse, kept))


@pytest.mark.parametrize("source", SOURCES, ids=[path.stem for path in SOURCES])
def test_each_exercise_unwritten_then_wrong_then_solved(
    source: Path, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    chapter = parse(source, ROOT)
    cells = nbformat.read(files.files_of(source, ROOT).exercise, as_version=4).cells
    exercises = [task.number for task in chapter.tasks if task.kind == "exercise"]
    for index, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        if "raise NotImplementedError(" not in cell.source:
            success, text = try_cell(shell, definitions_only(cell.source), capsys)
            assert success, text
            continue
        number = exercises.pop(0)

        success, text = try_cell(shell, cell.source, capsys)
        assert not success
        assert f"{number}" in text
        assert "Traceback" not in text, f"{number}: an unwritten exercise is no accident:\n{text}"

        answer = solution_beneath(cells, index)
        before, after, message = SLIPS[number]
        assert before in answer, f"the slip for {number} no longer fits the solution"
        success, text = try_cell(shell, answer.replace(before, after), capsys)
        assert not success, f"{number}: a wrong answer passed"
        assert f"✘ {number}" in text
        assert re.search(message, text), f"{number}: {text}"
        assert "Traceback" not in text
        assert len(text.strip().splitlines()) <= 14, f"{number}: a few readable lines:\n{text}"

        success, text = try_cell(shell, answer, capsys)
        assert success, f"{number}: the folded solution does not pass:\n{text}"
        assert f"✔ {number}" in text
    assert exercises == []
