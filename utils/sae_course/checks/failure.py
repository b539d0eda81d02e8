"""The one exception a check raises, and how it reads."""

RED, RESET = "\x1b[31m", "\x1b[0m"
FIRST_POINTER = 3  # failures before a hint is pointed to
TRIES_PER_HINT = 2  # further failures before the next one is


class CheckFailed(Exception):
    """What is wrong with the learner's answer, in a few lines; shown in a notebook without a traceback.

    A check raises it with what it saw (`problem`, `likely`, `line`); the exercise, the case, what was
    printed and the hint are filled in as it passes through `core.Check`.
    """

    def __init__(self, problem: str, *, kind: str = "requirement", likely: str = "", line: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        """What is wrong: the value seen and the one expected."""
        self.kind = kind
        """The kind of slip, such as ``"shape"``; each has its own wording."""
        self.likely = likely
        """What the result itself suggests."""
        self.named: list[str] = []
        """Mistakes that give exactly this result, the likeliest first: told instead of `likely`."""
        self.offered: list[str] = []
        """All mistakes that were tried."""
        self.line = line
        """The learner's line, where their code raised or was stopped."""
        self.number = ""
        self.title = ""
        self.case = ""
        """The inputs of the case it failed on."""
        self.printed = ""
        self.notes: list[str] = []
        self.hint = ""

    def lines(self) -> list[str]:
        """The message, line by line, the first one a headline."""
        name = " ".join(word for word in (self.number, self.title) if word)
        body = [self.problem]
        if self.line:
            body.append(self.line)
        if likely := self.named[0] if self.named else self.likely:
            body.append(f"Likely: {likely}")
        if self.case:
            body.append(self.case)
        if self.printed:
            body.append(self.printed)
        body += self.notes
        if self.hint:
            body.append(self.hint)
        return [f"✘ {name}".rstrip(), *(f"  {part}" for text in body for part in text.splitlines())]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: these lines instead of a traceback."""
        headline, *rest = self.lines()
        return [f"{RED}{headline}{RESET}", *rest]


def hint_pointer(failures: int, hints: int) -> str:
    """Where to look after this many failures in a row: nowhere, then hint by hint, then the solution."""
    if failures < FIRST_POINTER:
        return ""
    number = 1 + (failures - FIRST_POINTER) // TRIES_PER_HINT
    if number == hints == 1:
        return "A hint is folded beneath this cell."
    if number <= hints:
        return f"Hint {number} is folded beneath this cell."
    return "The solution is folded beneath this cell: compare it with yours, line by line."
