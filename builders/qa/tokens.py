"""How many tokens a summary has: by the server's own count, else by a tokenizer that the user
names, else by an estimate.
"""

import sys

from csc_tasks.errors import SettingError, require
from csc_tasks.gguf import gguf_files, splits_as_learned
from csc_tasks.llm.outcomes import Answer
from csc_tasks.metrics.segment import chinese_tokens

ESTIMATE = (
    "the estimate (one token for each Chinese character and mark, one for every four letters or"
    " digits of a word)"
)


def estimate(text: str) -> int:
    """Tokens of `text` by rule: 1 for each Chinese character and each mark, and for every other
    word its length / 4, rounded up.
    """
    return sum((len(piece) + 3) // 4 for piece in chinese_tokens(text))


class TokenCounter:
    """Counts the tokens of replies. `tokenizer` is a model name or folder for transformers, or ""
    for the estimate; raises SettingError for one that cannot be loaded, and MissingExtra where
    transformers is not installed.
    """

    def __init__(self, tokenizer: str = "") -> None:
        self.name = (
            f"the tokenizer {tokenizer.rstrip('/').rsplit('/', 1)[-1]}" if tokenizer else ESTIMATE
        )
        self._tokenizer = _load(tokenizer) if tokenizer else None

    def local(self, text: str) -> int:
        """Tokens of `text` by the tokenizer or the estimate."""
        return (
            len(self._tokenizer.encode(text, add_special_tokens=False))
            if self._tokenizer
            else estimate(text)
        )

    def count(self, answer: Answer) -> tuple[int, str]:
        """(tokens, who counted) of a reply without its thinking: by the server where it tells, else
        by `local`.
        """
        usage = answer.usage
        # Stand-ins and some servers report 0. Thinking that a server puts into one sum with the
        # text leaves no count of the text.
        if not usage.output or (answer.thinking and usage.thinking is None):
            return self.local(answer.text), self.name
        return max(usage.output - (usage.thinking or 0), 1), "the server"


def _load(name: str):
    transformers = require("transformers", "hf", "--tokenizer")
    files = gguf_files(name)
    if len(files) == 1:
        require("gguf", "real", "--tokenizer with a GGUF file")
        place, reading = str(files[0].parent), {"gguf_file": files[0].name}
        if note := splits_as_learned(files[0]):
            print(f"note: {note}", file=sys.stderr)
    else:
        place, reading = name, {}
    try:
        return transformers.AutoTokenizer.from_pretrained(place, **reading)
    except (OSError, ValueError) as error:
        raise SettingError(f"--tokenizer {name}: {' '.join(str(error).split())[:300]}") from None
