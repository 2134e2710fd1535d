"""Reading recorded conversations as builders do."""

from builders.sources import Reading, read_source


def read(path, kind="auto", language=None):
    """(conversations, the Reading) of a source."""
    reading = Reading()
    return list(read_source(path, reading, kind, language)), reading
