"""The one error type that a person is meant to read."""


class CourseError(Exception):
    """What happened, the value seen, what was expected, and what to do: one message, no traceback.

    The command line prints it as one line and exits with 2; a notebook shows the message alone.
    """

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: the message instead of a traceback."""
        return [f"\x1b[31m✘\x1b[0m {self}"]
