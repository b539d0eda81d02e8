"""Data with truth, in the order a reader meets it.

Stories whose every token carries its labels (``stories``), Othello games with their boards (``othello``), own
text (``text``), the labels they share (``labels``) and the tokenizer objects that read them (``tokenizers``).
"""
