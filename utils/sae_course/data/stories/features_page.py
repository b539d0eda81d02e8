"""docs/story-features.md: every feature of the stories with its meaning and how often it is true.

Written by ``python -m sae_course.data.stories.features_page``.
"""

from ...runtime import project_root, write_atomic
from .features import FEATURES
from .labels import labels
from .rows import rows

FILE = "docs/story-features.md"
N_ROWS, N_CTX = 2000, 256

_HEAD = """\
# The features of the stories

The truth that every token of the mini models' stories carries: {n} features, each true or false, computed
from the tokens alone by `sae_course.data.stories.labels`. Each depends on its token and the ones before it in
the same story; nothing is remembered across `<bos>` and `<eos>`, at which all are false. Some are parts of
others on purpose: an owl is a bird, and a bird an animal.

A "mark" is one of `.`, `!`, `?` or a quote mark. A state lasts from the token that shows it to the token
before the one that ends it.

The rates are shares of all tokens, in per cent, over {n_rows:,} rows of {n_ctx} tokens of the test split: in
stories, and in the second register (notices, recipes and letters), "the wrong data". No story is a notice,
and no notice has a story's phases: there, 0 is meant.

"""
_FOOT = """
Written by `python -m sae_course.data.stories.features_page`.
"""


def page(n_rows: int = N_ROWS) -> str:
    """The page, with rates over the first ``n_rows`` rows of the test split."""
    stories, notices = (base_rates(register, n_rows) for register in ("stories", "notices"))
    lines = ["| feature | group | meaning | stories % | notices % |", "|---|---|---|---|---|"]
    lines += [
        f"| {f.name} | {f.group} | {f.meaning} | {_percent(stories[f.name])} | {_percent(notices[f.name])} |"
        for f in FEATURES
    ]
    return _HEAD.format(n=len(FEATURES), n_rows=n_rows, n_ctx=N_CTX) + "\n".join(lines) + "\n" + _FOOT


def base_rates(register: str, n_rows: int) -> dict[str, float]:
    """The share of tokens at which each feature is true, in the test split of a register."""
    return labels(rows(n_rows, N_CTX, split="test", register=register)).base_rates()


def _percent(rate: float) -> str:
    return f"{100 * rate:.2g}" if rate < 0.0995 else f"{100 * rate:.0f}"


def main() -> None:
    """Write the page into this checkout."""
    write_atomic(project_root() / FILE, page())


if __name__ == "__main__":
    main()
