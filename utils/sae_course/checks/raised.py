"""What torch says when a learner's function can't go on, put into words of the exercise."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .failure import CheckFailed


@contextmanager
def meaning(raised: Mapping[str, str]) -> Iterator[None]:
    """Around a call of the function: where it raises, the likely slip is what ``raised`` says of it.

    Args:
        raised: words of an exception's message, and what is meant; the first that fits counts.

    Raises:
        CheckFailed: the same failure.
    """
    try:
        yield
    except CheckFailed as failure:
        if failure.kind == "raised":
            said = (likely for words, likely in raised.items() if words in failure.problem)
            failure.likely = next(said, failure.likely)
        raise
