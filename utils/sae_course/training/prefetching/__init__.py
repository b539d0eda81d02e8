"""``sae-course prefetch``: what the chapters read from the hub, fetched beforehand, or as a bundle to carry.

What each chapter reads at full scale (``reads``), the files and rows that this means and what of them is
here (``wanted``), fetching them (``fetch``, ``rows``). The bundle for a room without a network (``bundle``),
its checksums (``manifest``). How the course then reads them: `models.prefetched`, `models.cached`. The pages
about rented machines have their figures from ``pages``.
"""
