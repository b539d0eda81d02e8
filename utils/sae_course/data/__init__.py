"""Data with truth: stories whose every token carries its labels (`stories`), Othello games with their boards
(`othello`), own text (`text`), and the labels they share (`labels`)."""
