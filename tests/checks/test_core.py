"""Each kind of slip gets a message of its own, and a check leaves no trace."""

import contextlib
import io
import random
import re
import signal
import sys
import threading
import time

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from toy_check import absolute, energy, fails, right, summed

from sae_course.checks import CheckFailed
from sae_course.checks.core import exercise
from sae_course.checks.failure import hint_pointer


def mutates(x, W):
    result = right(x, W)
    x *= 2
    return result


def misspelt(x, W):
    y = x @ W
    return y.square().maen(-1)


def endless(x, W):
    while True:
        pass


def endless_catching(x, W):
    while True:
        try:  # noqa: SIM105 - as a learner writes it
            torch.ones(2).sum()
        except Exception:  # noqa: BLE001
            pass


def endless_catching_all(x, W):
    while True:
        try:  # noqa: SIM105
            torch.ones(2).sum()
        except:  # noqa: E722 - the point
            pass


def endless_restarting(x, W):
    while True:
        try:
            time.sleep(0.001)
        finally:
            continue  # noqa: B012 - the point


def deep(x, W):
    return deep(x, W)


def leaves(x, W):
    sys.exit(3)


def unwritten(x, W):
    raise NotImplementedError("Exercise 1.3")


def no_gradient_in_part(x, W):
    return ((x @ W) * (x @ W).detach()).mean(-1)


SLIPS = {
    "none": (lambda x, W: None, r"returned nothing \(None\): is there a `return`\?"),
    "type": (lambda x, W: right(x, W).detach().numpy(), r"NumPy array; expected a tensor(.|\n)*\.numpy\(\)"),
    "shape": (lambda x, W: right(x, W)[:, None], r"expected \[batch\] = (.|\n)*axis too many.*keepdim"),
    "dtype": (lambda x, W: right(x, W).double(), r"dtype float64; expected float32"),
    "device": (lambda x, W: right(x, W).to("meta"), r"on device meta; expected cpu"),
    "nan": (
        lambda x, W: right(x, W) / 0 * 0,
        r"gives NaN \(not a number\) at \[batch=0\](.|\n)*division by zero",
    ),
    "values": (lambda x, W: right(x, W) + 1, r"gives [\d.]+ at \[batch=\d+\]; expected [\d.]+ \(all \d+"),
    "detached": (lambda x, W: right(x, W).detach(), r"cut off from the parameters"),
    "gradient": (no_gradient_in_part, r"with respect to W(.|\n)*expected one times 0\.5"),
    "changed input": (mutates, r"changed its input x(.|\n)*in-place"),
    "raised": (misspelt, r"AttributeError(.|\n)*line \d+, in misspelt: return y\.square\(\)\.maen\(-1\)"),
    "time": (endless, r"did not finish within 0\.5 s(.|\n)*was at line \d+, in endless"),
    "exit": (leaves, r"tried to end Python(.|\n)*sys\.exit\(3\)"),
    "recursion": (deep, r"calls itself without end"),
    "unwritten": (unwritten, r"is not written yet: replace the line `raise NotImplementedError"),
    "signature": (lambda x: x, r"calls your function\(x, W\), and yours is your function\(x\)"),
    "not callable": (torch.zeros(3), r"needs the function or class itself"),
}


@pytest.mark.parametrize("kind", SLIPS)
def test_each_slip_has_its_own_message(kind):
    variant, _ = SLIPS[kind]
    failure = fails(energy, variant)
    assert failure.kind == kind
    matching = [name for name, (_, other) in SLIPS.items() if re.search(other, str(failure))]
    assert matching == [kind], str(failure)
    assert str(failure).startswith("✘ 1.3 energy\n")


def test_what_torch_has_not_implemented_is_not_taken_for_an_unwritten_exercise():
    def booleans(x, W):
        return ((x > 0) @ (W > 0)).float().mean(-1)

    failure = fails(energy, booleans)
    assert failure.kind == "raised"
    assert "not implemented for" in str(failure)


@pytest.mark.parametrize("function", [endless_catching, endless_catching_all, endless_restarting])
def test_no_loop_escapes_the_alarm(function):
    start = time.monotonic()
    assert fails(energy, function).kind == "time"
    assert time.monotonic() - start < 5


def test_the_alarm_is_not_caught_by_except_exception():
    caught = []

    def careful(x, W):
        while True:
            try:
                torch.ones(2).sum()
            except Exception as error:  # noqa: BLE001
                caught.append(error)

    assert fails(energy, careful).kind == "time"
    assert caught == []


def test_a_right_answer_passes_with_one_line(capsys):
    energy(lambda x, W: torch.einsum("bi,is->bs", x, W).pow(2).mean(1))
    assert capsys.readouterr().out == "✔ 1.3 energy (6 cases)\n"


def test_printing_is_noted_and_no_error(capsys):
    def talks(x, W):
        print("hello")
        print("a bar 10%|#", file=sys.stderr)
        return right(x, W)

    energy(talks)
    assert capsys.readouterr() == ("✔ 1.3 energy (6 cases)\n  Your function printed: hello\n", "")
    assert "Your function printed: hello" in str(fails(energy, lambda x, W: talks(x, W) + 1))


def test_the_likely_mistake_is_named():
    assert "Likely: it is summed over d_sae, not averaged." in str(fails(energy, summed))
    assert "Likely: absolute values, not squares." in str(fails(energy, absolute))


def test_a_mistake_that_fits_one_case_by_accident_is_not_named():
    """The first case of seed 0 has some d_sae: that number times the right answer equals the sum there."""
    case = fails(energy, lambda x, W: right(x, W) + 1).case
    size = int(case.split("W (")[1].split(", ")[1].rstrip(")"))
    message = str(fails(energy, lambda x, W: size * right(x, W)))
    assert "summed" not in message
    assert f"expected one times {size}" in message


def test_a_mistake_that_gives_the_right_answer_is_never_blamed():
    def nearly(x):
        return x.sum() * (1 + 5e-5)  # within the tolerance of the right answer, and of the wrong one below

    @exercise("9.1", "sum", minutes=1)
    def check(t, student):
        for case in t.cases(3):
            t.against(student, {"x": case.uniform("batch")}, torch.sum, mistakes={"BLAMED": nearly})

    check.run(torch.sum)
    check.run(nearly)
    assert "BLAMED" not in str(fails(check, lambda x: x.sum() * (1 + 1.5e-4)))
    assert check.run(torch.sum, self_test=True).shown == {"BLAMED": False}


def test_a_check_leaves_the_global_generators_alone():
    def draws(x, W):
        torch.rand(3), np.random.rand(3), random.random()
        torch.manual_seed(5)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return right(x, W)

    def draw():
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()

    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    expected = draw()
    for function in (right, draws):
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        with pytest.raises(CheckFailed) if function is draws else contextlib.nullcontext():
            energy.run(function)
        assert draw() == expected
        assert torch.get_default_dtype() == torch.float32
        assert torch.is_grad_enabled()


def test_the_alarm_found_before_is_put_back():
    fired = []
    before = signal.signal(signal.SIGALRM, lambda *_: fired.append(1))
    old = signal.setitimer(signal.ITIMER_REAL, 0.8)
    try:
        fails(energy, endless)
        assert not fired
        time.sleep(0.5)
        assert fired
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *old)


def test_no_alarm_outlives_the_answer():
    """Alarms come thick and fast when this answer is stopped; none may hit what puts the timer back."""
    for _ in range(5):
        before = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[0] > 0
        fails(energy, endless_restarting)
        assert (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[0] > 0) == before


def test_off_the_main_thread_it_says_so(capsys):
    thread = threading.Thread(target=energy, args=(right,))
    thread.start()
    thread.join()
    assert "✔ 1.3 energy (6 cases)\n  (No time limit here" in capsys.readouterr().out


def test_ctrl_c_goes_through():
    def interrupted(x, W):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        energy(interrupted)


def test_an_error_in_the_check_is_readable_too():
    @exercise("9.5", "broken", minutes=1)
    def check(t, student):
        raise KeyError("oops")

    assert "The check could not judge" in str(fails(check, right))


def test_hints_are_pointed_to_after_three_failures():
    shown = [hint_pointer(n, hints=2) for n in range(1, 9)]
    assert shown[:2] == ["", ""]
    assert shown[2].startswith("Hint 1 is folded beneath")
    assert shown[4].startswith("Hint 2")
    assert shown[6].startswith("The solution")
    messages = []
    for _ in range(3):
        with pytest.raises(CheckFailed) as caught:
            energy(lambda x, W: None)
        messages.append(str(caught.value))
    assert "Hint" not in messages[1]
    assert messages[2].endswith("Hint 1 is folded beneath this cell.")


def test_a_notebook_shows_a_few_lines_and_no_traceback(monkeypatch, tmp_path):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance()
    monkeypatch.setattr("sys.stdout", out := io.StringIO())
    shell.run_cell(
        "from toy_check import energy\ndef mine(x, W):\n    y = x @ W.T\n    return y\nenergy(mine)"
    )
    text = out.getvalue()
    assert "Traceback" not in text
    assert "Your line 3, in mine: y = x @ W.T" in text
    assert len(text.strip().splitlines()) <= 6, text
