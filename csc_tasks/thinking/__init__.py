"""How models think aloud, and what is left of a reply without it: the one place that knows.

Some models write a chain of thought before the reply: between marks (`<think>..</think>`), as a
message of its own (gpt-oss), or with the opening mark already at the end of the prompt.
`of_tokenizer` finds out which of these a model does from its chat template and its tokens;
`separate` takes the thinking out of what was written; `decode` keeps marks that are special tokens
in the decoded text, because a reply cannot be told from thinking without them. Tasks, play,
trainers, judges and builders all use these functions.

Adding a family of models is one entry in `families.FAMILIES`.
"""

from csc_tasks.thinking.families import FAMILIES, Family, Thinking, closes, opened_by
from csc_tasks.thinking.names import thinks, thinks_in_text
from csc_tasks.thinking.replies import (
    APART,
    CUT,
    END,
    Separated,
    content_of,
    reasoning_of,
    separate,
)
from csc_tasks.thinking.templates import (
    chat_template,
    decode,
    of_name,
    of_template,
    of_tokenizer,
    special_marks,
)

__all__ = [
    "APART",
    "CUT",
    "END",
    "FAMILIES",
    "Family",
    "Separated",
    "Thinking",
    "chat_template",
    "closes",
    "content_of",
    "decode",
    "of_name",
    "of_template",
    "of_tokenizer",
    "opened_by",
    "reasoning_of",
    "separate",
    "special_marks",
    "thinks",
    "thinks_in_text",
]
