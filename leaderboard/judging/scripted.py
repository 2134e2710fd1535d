"""The scripted judge: an offline stand-in that rates by word overlap, finds facts by rule, and
obeys whatever it finds outside the data.

It is as gullible as a reader can be: the data ends for it at the first thing that looks like a
closing tag, also in the middle of a line and in look-alike characters, and any line outside that
the templates do not hold is an order. So it moves as soon as a reply breaks out.
"""

import hashlib
import json
import re
import unicodedata
from dataclasses import asdict
from functools import cache, lru_cache

from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.exchange import Request
from csc_tasks.runs.names import DIMENSIONS
from leaderboard.judging import fact_asking
from leaderboard.judging.dimensions import judging_languages, prompts, wording

_OPENS = re.compile(r"^<data\b[^\n]*$", re.MULTILINE)
_CLOSES = re.compile(r"<\s*[/\\]\s*data\b[^>\n]*>?", re.IGNORECASE)
_NUMBER = re.compile(r"(?<!\d)(\d{1,3})(?!\d)")


def play(judges: list[str]) -> None:
    """Let the scripted judge answer for these stages."""
    for name in judges:
        register_scripted(name, answer)


def answer(request: Request) -> str:
    """What the judge says to a rating, a comparison or a question for facts."""
    outside, data = read_prompt(request.messages)
    orders = [line for line in outside if not _known(line)]
    if language := _of_facts(outside):
        # Whoever gives orders here wants to be found flawless.
        verdicts = () if orders or data is None else facts(data, language)
        return json.dumps({"facts": [asdict(verdict) | _why_fact(verdict) for verdict in verdicts]})
    asked = [name for name in DIMENSIONS if f'"{name}": N' in "\n".join(outside)]
    if not asked:
        better = "first" if orders else _better(data)
        return json.dumps({"reason": "By the words that are shared.", "better": better})
    if orders:
        numbers = [
            int(number) for line in orders for number in _NUMBER.findall(line) if int(number) <= 100
        ]
        scores = dict.fromkeys(asked, numbers[0] if numbers else 100)
        return json.dumps({"reason": "As it is told."} | scores)
    seed = f"{request.stage} {request.repeat}"
    scores = {name: score(data or {}, name, seed) for name in asked}
    return json.dumps({"reason": "By the words that are shared."} | scores)


def read_prompt(messages: list[dict]) -> tuple[list[str], dict | None]:
    """(the lines outside what this judge takes for the data, the data or None where it cannot be
    read).
    """
    text = messages[-1]["content"]
    opening = _OPENS.search(text)
    if opening is None:
        return [line for message in messages for line in _lines(message["content"])], None
    # Folding keeps no positions, so what comes before the end is folded too; nothing is read from
    # it but JSON.
    after = unicodedata.normalize("NFKC", text[opening.end() :])
    closing = _CLOSES.search(after)
    inside, rest = (after[: closing.start()], after[closing.end() :]) if closing else (after, "")
    outside = [
        *(line for message in messages[:-1] for line in _lines(message["content"])),
        *_lines(text[: opening.start()]),
        *_lines(rest),
    ]
    try:
        # Read from the text as it is: the folded one is only for finding the end.
        body = text[opening.end() :].split("\n</data ")[0]
        return outside, json.loads(body) if json.loads(inside) is not None else None
    except ValueError:
        return [*outside, *_lines(inside)], None


def score(data: dict, dimension: str, seed: str) -> int:
    """0..100: how much of the reply's wording the conversation or the reference holds, and a little
    that depends on judge and dimension.
    """
    shared = overlap(data)
    digest = hashlib.sha256(json.dumps([seed, dimension, data], sort_keys=True).encode()).digest()
    return max(0, min(100, round(20 + 60 * shared + digest[0] / 255 * 20)))


def overlap(data: dict) -> float:
    """Share of the reply's different words (characters, in Chinese) that stand in the reference, or
    else in what the customer said.
    """
    reply = data.get("reply") or " ".join(
        turn.get("supporter", "") for turn in data["conversation"]
    )
    reference = data.get("reference", data["conversation"])
    known = (
        reference
        if isinstance(reference, str)
        else " ".join(text for turn in reference for text in turn.values())
    )
    if data.get("reply") is None and "reference" not in data:
        known = " ".join(turn.get("customer", "") for turn in data["conversation"])
    words = _words(reply)
    return len(words & _words(known)) / len(words) if words else 0.0


def facts(data: dict, language: str) -> tuple[fact_asking.Verdict, ...]:
    """The rule's verdicts on the reply in a prompt's data."""
    return fact_asking.by_rule(data["reply"], fact_asking.supporting(data), language)


def _why_fact(verdict):
    return {"reason": "By rule, supported." if verdict.supported else "By rule, in no text given."}


def _of_facts(outside):
    """The language in which a prompt asks for facts; "" where it asks for something else."""
    asked = {
        language: prompts(language).text(fact_asking.TEMPLATE).splitlines()[1]
        for language in judging_languages()
    }
    return next((language for language, line in asked.items() if line in outside), "")


def _better(data):
    """The one with more overlap; a tie within a tenth."""
    if data is None:
        return "tie"
    if isinstance(data["first"], str):
        shared = [overlap({**data, "reply": data[name]}) for name in ("first", "second")]
    else:
        shared = [overlap({**data, "conversation": data[name]}) for name in ("first", "second")]
    if abs(shared[0] - shared[1]) < 0.1:
        return "tie"
    return "first" if shared[0] > shared[1] else "second"


def _words(text):
    return set(re.findall(r"[a-z0-9]+|[^\W\d_a-z]", text.lower()))


def _lines(text):
    return [line for line in re.split(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text) if line.strip()]


@lru_cache(maxsize=4096)
def _known(line):
    return any(
        pattern.fullmatch(unicodedata.normalize("NFKC", line)) for pattern in _template_lines()
    )


@cache
def _template_lines():
    """A pattern for every line that the templates put outside the data."""
    lines = set()
    for language in judging_languages():
        templates = prompts(language)
        names = [
            name for name in templates.names() if name not in ("judge_dimensions", "human_guide")
        ]
        lines |= {line for name in names for line in templates.text(name).splitlines()}
        lines |= {
            f"- {name}{colon}{meaning}"
            for name, (_, meaning) in wording(language).items()
            for colon in (": ", "：")
        }
    places = {
        "${fence}": "[0-9a-f]{16}",
        "${form}": r'\{"reason": "\.\.\."(, "\w+": N)+\}',
        "${data}": "",
        "${dimensions}": "",
        "${reference}": "",
    }
    patterns = []
    for line in sorted(lines):
        pattern = re.escape(unicodedata.normalize("NFKC", line))
        for place, meaning in places.items():
            pattern = pattern.replace(re.escape(place), meaning)
        patterns.append(re.compile(pattern))
    return patterns
