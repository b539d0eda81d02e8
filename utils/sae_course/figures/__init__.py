"""Plotly figures from plain arrays; each title states the finding."""

from .toy import animate_latents, draw_geometry, draw_history, draw_recovery

__all__ = ["animate_latents", "draw_geometry", "draw_history", "draw_recovery"]
