"""``python -m sae_course``: the command line where the console script is not installed, as on Colab."""

from .cli import main

main()
