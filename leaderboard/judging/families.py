"""Which family of models a name belongs to, so that self-preference of a judge can be measured."""

import re
from collections.abc import Mapping, Sequence

from csc_tasks.errors import SettingError

# The one that stands first in a name, as a word or the start of one, wins.
FAMILIES = {
    "gpt": r"gpt|chatgpt|o[1345](?:-|$)|davinci",
    "claude": r"claude",
    "gemini": r"gemini|gemma|palm",
    "qwen": r"qwen|qwq|dianjin",
    "llama": r"llama|vicuna|alpaca",
    "deepseek": r"deepseek",
    "mistral": r"mistral|mixtral|ministral|magistral",
    "glm": r"glm|chatglm|zhipu",
    "yi": r"yi(?:-|$)",
    "baichuan": r"baichuan",
    "internlm": r"internlm",
    "phi": r"phi(?:-|\d|$)",
    "command": r"command|cohere|aya",
    "grok": r"grok",
    "nova": r"nova",
    "kimi": r"kimi|moonshot",
    "doubao": r"doubao|seed-",
    "ernie": r"ernie",
    "hunyuan": r"hunyuan",
    "minicpm": r"minicpm",
    "granite": r"granite",
    "nemotron": r"nemotron",
    "falcon": r"falcon",
    "smollm": r"smollm",
    "olmo": r"olmo",
}
_WORDS = {
    family: re.compile(rf"(?:^|[^a-z])(?:{pattern})", re.IGNORECASE)
    for family, pattern in FAMILIES.items()
}


def family(name: str, given: Mapping[str, str]) -> str | None:
    """The family of a model or judge: as `given` says, else by its name, else None."""
    if name in given:
        return given[name]
    matches = [(known, pattern.search(name)) for known, pattern in _WORDS.items()]
    places = [(match.start(), known) for known, match in matches if match]
    return min(places)[1] if places else None


def parse_families(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=FAMILY`, repeated -> {name: family}; raises SettingError."""
    given = {}
    for text in texts:
        name, equals, known = text.rpartition("=")
        if not (name and equals and known):
            raise SettingError(
                f"--family {text}: must be NAME=FAMILY, with the name of a model or a judge"
            )
        given[name] = known.lower()
    return given
