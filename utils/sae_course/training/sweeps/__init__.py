"""Sweeps: a grid of configurations, each trained as a process of its own.

What is trained (``grid``), what is written down of it (``book``); a trial's process (``trial``) and whoever
starts and watches it (``attempts``); all of them, one after another or on Ray (``drivers``, ``on_ray``); what
came of it (``results``). ``sae-course sweep`` is in ``commands``. docs/sweeps.md says how to use it.
"""
