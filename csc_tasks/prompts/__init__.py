"""Conversation or question -> prompt, and reply -> strategy and text: the two directions of talking
to a model.
"""

from csc_tasks.prompts.forms import (
    FORMS,
    JSON,
    TEXT,
    ask_again_line,
    format_line,
    opening,
    schema,
    tagged,
)
from csc_tasks.prompts.render import SPOKEN, AnswerPrompt, TurnPrompt, instructions
from csc_tasks.prompts.reply import (
    Reply,
    label_written,
    read_answer,
    read_begun,
    read_reply,
    read_text,
    writable,
)
from csc_tasks.prompts.template import (
    DATE,
    SERVER_DATE,
    Apply,
    ChatTemplate,
    as_parts,
    date_shown,
    hides_history,
    iso_date,
    needs_parts,
    of_tokenizer,
    prints_date,
    shows_system,
    without_system,
)

__all__ = [
    "DATE",
    "FORMS",
    "JSON",
    "SERVER_DATE",
    "SPOKEN",
    "TEXT",
    "AnswerPrompt",
    "Apply",
    "ChatTemplate",
    "Reply",
    "TurnPrompt",
    "as_parts",
    "ask_again_line",
    "date_shown",
    "format_line",
    "hides_history",
    "instructions",
    "iso_date",
    "label_written",
    "needs_parts",
    "of_tokenizer",
    "opening",
    "prints_date",
    "read_answer",
    "read_begun",
    "read_reply",
    "read_text",
    "schema",
    "shows_system",
    "tagged",
    "without_system",
    "writable",
]
