"""From a chapter's source to its two notebooks, and running them.

In the order of the work: `source` (parsing), `rules`, `privacy` and `leaks` (what is refused), `template` and
`clear` (the generated parts), `render` (the notebooks), `outputs`, `execute`, `build`, `verify`, `run`.
"""
