"""Calling a learner's function so that whatever it does ends in a readable message."""

import contextlib
import inspect
import io
import linecache
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from .failure import CheckFailed

REPEAT = 0.05  # seconds between alarms once time is up
STUBBORN = 10  # alarms swallowed by a bare `except:` before they come thick and fast
RAPID = 5e-5
PRINT_LIMIT = 20_000  # characters of a learner's output kept


class TimeUp(BaseException):
    """The time limit; no `except Exception` in a learner's loop swallows it."""


@dataclass(frozen=True)
class Outcome:
    """What a call gave."""

    value: Any
    printed: str
    seconds: float


def can_limit_time() -> bool:
    """Whether an endless loop can be stopped here: it takes the main thread, and not Windows."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def limited(function: Callable[..., Any], values: list[Any], keywords: dict[str, Any], seconds: float) -> Any:
    """``function(*values, **keywords)``, with TimeUp raised in it after ``seconds``, and again until it ends.

    A bare ``except:`` inside an endless loop catches the alarm. So it repeats, and after a while so fast
    that one lands outside the ``try``. An alarm raises only while the function runs: one that raised in what
    follows would leave the timer going, and end the process later ("Alarm clock"). The handler and the timer
    found here are put back. Where no time can be limited, this is a plain call.
    """
    if not can_limit_time():
        return function(*values, **keywords)
    running: FrameType | None = None
    fired = 0

    def body() -> Any:
        nonlocal running
        running = sys._getframe()
        return function(*values, **keywords)

    def on_alarm(_signal: int, frame: FrameType | None) -> None:
        nonlocal fired
        while frame is not None and frame is not running:
            frame = frame.f_back
        if frame is None:
            return
        fired += 1
        if fired == STUBBORN:
            signal.setitimer(signal.ITIMER_REAL, RAPID, RAPID)
        raise TimeUp

    start = time.monotonic()
    previous_handler = signal.signal(signal.SIGALRM, on_alarm)
    previous_delay, previous_interval = signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), REPEAT)
    try:
        return body()
    finally:
        running = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        # An alarm on its way to another thread would meet the handler found before, and the default one ends
        # the process. Ignoring the signal for a moment discards what is pending.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, previous_handler)
        if previous_delay:
            left = max(previous_delay - (time.monotonic() - start), 1e-3)
            signal.setitimer(signal.ITIMER_REAL, left, previous_interval)


class _Bounded(io.StringIO):
    """A text stream that keeps only so much, so that printing in an endless loop fills no memory."""

    def write(self, text: str) -> int:
        if self.tell() < PRINT_LIMIT:
            super().write(text[:PRINT_LIMIT])
        return len(text)


def call(
    function: Callable[..., Any],
    values: list[Any],
    keywords: dict[str, Any] | None = None,
    *,
    name: str,
    names: list[str] | None = None,
    seconds: float = 10.0,
    left: float | None = None,
    files: frozenset[str] = frozenset(),
) -> Outcome:
    """Call ``function(*values, **keywords)``.

    Args:
        name: what to call the function in a message.
        names: of ``values``, for the message about a changed signature.
        seconds: the check's time limit, named in the message.
        left: what is left of it after earlier calls.
        files: the files that hold the learner's code, from `source_files`.

    Raises:
        CheckFailed: for whatever it raises, for a signature that doesn't fit, and when time is up.
    """
    keywords = keywords or {}
    if not callable(function):
        raise CheckFailed(
            f"The check got a {type(function).__name__}, and needs the function or class itself: "
            "write its name without brackets.",
            kind="not callable",
        )
    _fit(function, values, keywords, name, names)
    limit = seconds if left is None else left
    out, err = _Bounded(), _Bounded()
    start = time.monotonic()
    problem: CheckFailed | None = None
    value = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            value = limited(function, values, keywords, limit)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a learner's code raises becomes a message
        problem = explain(error, name, seconds, files)
    printed = (out.getvalue() + _without_bars(err.getvalue())).strip()
    if problem is not None:
        problem.printed = printed_note(printed)
        raise problem from None
    return Outcome(value, printed, time.monotonic() - start)


def _fit(
    function: Callable[..., Any],
    values: list[Any],
    keywords: dict[str, Any],
    name: str,
    names: list[str] | None,
) -> None:
    """Raise when the arguments don't fit the function's signature."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return
    try:
        signature.bind(*values, **keywords)
    except TypeError:
        given = ", ".join([*(names or [f"argument {i + 1}" for i in range(len(values))]), *keywords])
        raise CheckFailed(
            f"The check calls {name}({given}), and yours is {name}{signature}: "
            "keep the first line of the exercise as it was.",
            kind="signature",
        ) from None


def explain(error: BaseException, name: str, seconds: float, files: frozenset[str]) -> CheckFailed:
    """The message for what a learner's code raised."""
    line = learners_line(error, files)
    # torch says it of kinds of numbers, such as a matrix product of booleans: that code is written.
    if isinstance(error, NotImplementedError) and "not implemented for" not in str(error):
        return CheckFailed(
            f"{name} is not written yet: replace the line `raise NotImplementedError(...)` by your code.",
            kind="unwritten",
        )
    if isinstance(error, TimeUp):
        return CheckFailed(
            f"{name} did not finish within {seconds:.3g} s, and was stopped: "
            "is there a loop that never ends?",
            kind="time",
            line=line.replace("Your line", "It was at line", 1),
        )
    if isinstance(error, SystemExit):
        return CheckFailed(
            f"{name} tried to end Python (exit or sys.exit): return a value instead.", kind="exit", line=line
        )
    if isinstance(error, RecursionError):
        return CheckFailed(
            f"{name} calls itself without end (RecursionError): what makes it stop?",
            kind="recursion",
            line=line,
        )
    return CheckFailed(f"{name} raised {_described(error)}", kind="raised", line=line)


def _described(error: BaseException) -> str:
    """Type and message, at most three lines and 400 characters."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a learner's exception may fail to describe itself
        message = ""
    message = "\n".join(message.strip().splitlines()[:3])[:400]
    return f"{type(error).__name__}: {message}" if message else f"{type(error).__name__}."


def learners_line(error: BaseException, files: frozenset[str]) -> str:
    """The last line of the learner's own code that the traceback went through; empty if there is none."""
    frames, step = [], error.__traceback__
    while step is not None:
        frames.append(step)
        step = step.tb_next
    for step in reversed(frames):
        frame = step.tb_frame
        file = frame.f_code.co_filename
        if file in files or _is_cell(file):
            # Time may be up at a loop's jump back, which Python gives no line: then the last line before it.
            before = [line for start, _, line in frame.f_code.co_lines() if line and start <= step.tb_lasti]
            number = step.tb_lineno or (before or [frame.f_code.co_firstlineno])[-1]
            text = linecache.getline(file, number).strip()
            return (
                f"Your line {number}, in {frame.f_code.co_name}: {text}" if text else f"Your line {number}."
            )
    return ""


def _is_cell(file: str) -> bool:
    """Whether a code file is a notebook's cell: a learner's function may call one of an earlier cell."""
    return file.startswith("<ipython-input") or f"{os.sep}ipykernel_" in file


def source_files(*things: Any) -> frozenset[str]:
    """The files that functions, methods and classes were written in."""
    return frozenset(code.co_filename for thing in things for code in _codes(thing))


def _codes(thing: Any) -> Iterator[CodeType]:
    if isinstance(thing, type):
        for member in vars(thing).values():
            yield from _codes(inspect.unwrap(getattr(member, "__func__", member)))
        return
    if not callable(thing):
        return
    function = inspect.unwrap(getattr(thing, "__func__", thing))
    if not hasattr(function, "__code__"):  # an object that can be called
        function = getattr(type(thing), "__call__", None)  # noqa: B004 - its code is wanted, not whether
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):
        yield code


def _without_bars(text: str) -> str:
    """Standard error without progress bars, which are no stray prints."""
    return "\n".join(line for line in text.split("\n") if "\r" not in line and "%|" not in line)


def printed_note(printed: str) -> str:
    """One to three lines on what the learner's function printed; empty if nothing."""
    lines = printed.strip().splitlines()
    if not lines:
        return ""
    if len(lines) == 1:
        return f"Your function printed: {lines[0][:200]}"
    shown = "\n".join(f"  {line[:200]}" for line in lines[:3])
    more = f"\n  … and {len(lines) - 3} more lines" if len(lines) > 3 else ""
    return f"Your function printed:\n{shown}{more}"
