"""Text from models and corpora on one line of a terminal: names may hold line breaks, escape
sequences, lone surrogates.
"""


def shown(text: str) -> str:
    """`text` with white space made single spaces and what cannot be printed made U+FFFD."""
    return "".join(
        character if character.isprintable() else "\ufffd" for character in " ".join(text.split())
    )
