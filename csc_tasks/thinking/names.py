"""Which models think before they reply, as far as the name behind an API tells.

A name that is not known is taken for that of a model that does not think: it is then asked with
less room, and says so itself by a reply that was cut.
"""

import re

# Behind their makers' own servers, which keep the thinking out of the reply.
_APART = re.compile(r"(?:^|/)(?:o[1345](?:-|$)|gpt-[5-9])", re.IGNORECASE)
# Behind anybody's server, which may or may not.
_IN_TEXT = re.compile(
    r"gpt[-_]?oss|deepseek-(?:r\d|reasoner)|r1-distill|qwq|qwen3(?!.*(?:instruct|coder))|magistral"
    r"|think|reason|seed-oss|exaone-deep|glm-(?:4\.[5-9]|5|z1)|minimax-m[12]|nemotron-(?:3|nano)",
    re.IGNORECASE,
)


def thinks_in_text(model: str) -> bool:
    """Whether a model of this name may write its thinking into the reply's text."""
    return bool(_IN_TEXT.search(model)) and not re.search(r"non[-_]?think", model, re.IGNORECASE)


def thinks(model: str) -> bool:
    """Whether a model of this name thinks before it replies, in the text or apart from it."""
    return thinks_in_text(model) or bool(_APART.search(model))
