"""Conversation or question -> prompt, and reply -> strategy and text: the two directions of talking
to a model.
"""

from csc_tasks.prompts.render import AnswerPrompt, TurnPrompt, instructions, tagged
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
    "SERVER_DATE",
    "AnswerPrompt",
    "Apply",
    "ChatTemplate",
    "Reply",
    "TurnPrompt",
    "as_parts",
    "date_shown",
    "hides_history",
    "instructions",
    "iso_date",
    "label_written",
    "needs_parts",
    "of_tokenizer",
    "prints_date",
    "read_answer",
    "read_begun",
    "read_reply",
    "read_text",
    "shows_system",
    "tagged",
    "without_system",
    "writable",
]
