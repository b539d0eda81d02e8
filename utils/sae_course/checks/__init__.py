"""The exercise checks: a module per chapter, and what they are written with.

    from sae_course.checks import ch01 as check

`failure`
    `CheckFailed`, the one exception a check raises, and how it reads.
`core`
    `exercise`, which makes a check of a plain function: it leaves no trace and records the attempt.
`trial`
    `Trial`, what a check's author writes with. Its parts: `cases` (random inputs), `guard` (calling a
    learner's code), `compare` and `tensors` (what is wrong with a result), `gradients`, `mistakes`
    (naming the likely one), `chance` (bounds for random results).
`progress`
    `progress()`: what is solved, tried and left; `progress_file` keeps it, `catalogue` knows the exercises,
    `numbers` reads theirs (3a.1 in chapter 03a).

This list imports no torch; a chapter's checks do.
"""

from .failure import CheckFailed

__all__ = ["CheckFailed"]
