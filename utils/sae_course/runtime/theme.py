"""How every figure of the course looks, and how it is shown."""

import os

# Okabe and Ito's palette: told apart with any kind of colour vision, and in grey. Controls are grey.
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
CONTROL = "#999999"


def apply(on_colab: bool) -> None:
    """Set plotly's template and renderer.

    The figure goes out as JSON, which JupyterLab and VS Code draw with their own copy of plotly.js: no
    network, and a small notebook. Colab needs its own renderer. An author's build sets
    ``SAE_COURSE_RENDERER=plotly_mimetype+png``, so that GitHub's page, which draws no plotly, has a picture.
    """
    import plotly.graph_objects as go  # noqa: PLC0415 - the package's import stays instant
    import plotly.io as pio  # noqa: PLC0415

    pio.templates["sae_course"] = go.layout.Template(
        layout={
            "colorway": PALETTE,
            "font": {"size": 13},
            "title": {"x": 0.02, "xanchor": "left", "font": {"size": 15}},
            "margin": {"l": 60, "r": 20, "t": 60, "b": 50},
            "width": 760,
            "height": 420,
        }
    )
    pio.templates.default = "plotly_white+sae_course"
    pio.renderers.default = os.environ.get("SAE_COURSE_RENDERER") or (
        "colab" if on_colab else "plotly_mimetype"
    )
