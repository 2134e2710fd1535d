"""Docstrings on the page about Python: plain text, whose paragraphs and indented parts stay."""

from typing import Any

from griffe import Extension, GriffeLoader, Object

from docsite.text import described

DONE = "docsite"


class PlainText(Extension):
    """What mkdocstrings asks about every object that it has read."""

    def on_object(self, *, obj: Object, loader: GriffeLoader, **kwargs: Any) -> None:
        """Turn the object's docstring into Markdown that shows it as it was written."""
        if obj.docstring is not None and not obj.extra[DONE]:
            obj.docstring.value = "\n\n".join(described(obj.docstring.value))
            obj.extra[DONE]["markdown"] = True
