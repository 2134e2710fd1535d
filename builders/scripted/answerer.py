"""The scripted stand-in for `csc build qa` and `csc build qa-stages`: moderation, summaries,
refined answers and stages by rule, offline.

It works on any transcript, Chinese or English, from what the prompt says alone. A few conversations
are flagged and a few refinements refused, chosen by a hash of their text, so that drops occur as
they do with a model. Importing this module registers the functions.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache

from builders.qa.tokens import estimate
from builders.scripted.phrases import FOLDER, bank, check_spoken, draw, join, pick
from builders.scripted.reading import inverted, read_back, turns_in
from builders.scripted.recognise import recognise
from builders.wording import words as builder_words
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.exchange import Reply, Request, Usage
from csc_tasks.metrics.facts import find_facts

# One conversation in so many is flagged, one refinement in so many refused.
FLAGGED, REFUSED = 60, 150
PARTS = ("issue", "facts", "asked", "agent")
# Characters a quoted sentence may have before it is cut, and the length from which one says
# something.
LONGEST = {"zh": 60, "en": 160}
SHORTEST = {"zh": 5, "en": 14}

_SENTENCE = {
    "zh": re.compile(r"[^。！？!?\n]+[。！？!?]*"),
    "en": re.compile(r"\S.*?(?:(?<!\bM[rs])(?<!\bDr)(?<!\bMrs)[.!?]+(?=\s|$)|$)", re.DOTALL),
}
_CLAUSE = {"zh": re.compile(r"[，。！？；,!?;\n]+"), "en": re.compile(r"[.!?;,]+(?:\s+|$)|\n")}
_PLACE = r"\{(\w+)\}"


@cache
def words(language: str) -> Mapping:
    """The phrases of this module."""
    import yaml

    check_spoken(language)
    return yaml.safe_load((FOLDER / f"{language}_answers.yaml").read_text(encoding="utf-8"))


def moderate(request: Request) -> str:
    """Flagged: what holds a word of abuse, and one conversation in 60."""
    language, _, values = read_back(request.messages, "qa_moderate")
    text = values["history"]
    kinds = ["harassment"] if re.search(words(language)["harassment"], text, re.IGNORECASE) else []
    if not kinds and draw("moderate", text).random() < 1 / FLAGGED:
        kinds = ["illegal"]
    why = f"Holds {', '.join(kinds)}." if kinds else "Nothing of the kinds is said."
    return json.dumps({"reason": why, "flagged": bool(kinds), "categories": kinds})


def summary(request: Request) -> str:
    """The issue, the facts told, the customer's last question and what the agent last did or
    promised, within the bound.
    """
    # Asked again, the prompt is followed by the summary that was too long and its length: whoever
    # counts counts more than we do.
    language, _, values = read_back(request.messages[:2], "qa_summary")
    bound = int(values["tokens"])
    for again in request.messages[3::2]:
        _, _, told = read_back([again], "qa_summary_again")
        bound = bound * int(told["tokens"]) // int(told["counted"])
    earlier = "" if values["earlier"] == builder_words(language).no_summary else values["earlier"]
    return fitted(
        updated(parts_of(earlier, language), turns_in(values["turns"], language), language),
        bound,
        language,
    )


def refine(request: Request) -> str | Reply:
    """The answer with plain words replaced and a polite opening and closing that suit it; every
    fact stays. One in 150 is refused.
    """
    language, _, values = read_back(request.messages, "qa_refine")
    answer = values["answer"]
    rng = draw("refine", values["question"], answer)
    if rng.random() < 1 / REFUSED:
        return Reply(
            None, refusal="The stand-in declines this one.", usage=Usage(0, 0), model="scripted"
        )
    wording, strategy = bank(language).generic["refine"], recognise(answer, language)
    for plain, polite in wording["swap"]:
        before = r"(?<!\w)" if language == "en" and plain[0].isalpha() else ""
        answer = re.sub(before + re.escape(plain), polite.replace("\\", r"\\"), answer)
    if language == "zh" and answer[-1] not in "。！？!?…）":
        answer += "。"
    parts = [pick(rng, wording["lead"][strategy]), answer, pick(rng, wording["tail"][strategy])]
    text = join(language, *(part if language == "zh" else f"{part} " for part in parts)).strip()
    return json.dumps({"answer": text}, ensure_ascii=False)


def stage(request: Request) -> str:
    """Early while the agent has said at most one thing, late once the customer thanks or takes
    leave, else mid.
    """
    language, _, values = read_back(request.messages, "qa_stage")
    closing = re.search(words(language)["closing"], values["question"], re.IGNORECASE)
    try:
        spoken = [turn.speaker for turn in turns_in(values["history"], language)]
    except StopIteration:  # a summary in place of the turns
        spoken = [SUPPORTER, CUSTOMER, SUPPORTER]
    label = "early" if spoken.count(SUPPORTER) <= 1 else "mid"
    if closing and len(spoken) > 2:
        label = "late"
    why = f"The agent has spoken {spoken.count(SUPPORTER)} times before."
    return json.dumps({"reason": why, "stage": label})


def parts_of(text: str, language: str) -> dict[str, str]:
    """The parts of a summary of ours; the words of another author, up to the first part of ours,
    are under `issue` as they are.
    """
    parts = {"issue": text}
    for name in reversed(PARTS[1:]):
        pattern = inverted(words(language)["summary"][name], _PLACE)
        if match := re.fullmatch(rf"(.*?)\s*{pattern}", parts["issue"], re.DOTALL):
            parts |= {"issue": match[1], name: match[name]}
    return {name: part for name, part in parts.items() if part}


def updated(parts: dict[str, str], turns: Sequence[Turn], language: str) -> dict[str, str]:
    """The parts brought up to date with new turns."""
    wording, parts = words(language), dict(parts)
    between, nothing = wording["between"], wording["nothing"]
    facts = parts.get("facts", "").split(between) if "facts" in parts else []
    for turn in turns:
        plain = [_plain(text, language) for text in _SENTENCE[language].findall(turn.text)]
        clauses = [sentence for sentence in plain if sentence]
        told = [sentence for sentence in clauses if len(sentence) >= SHORTEST[language]]
        if turn.speaker == CUSTOMER:
            issues = [
                sentence
                for sentence in told
                if not re.search(wording["vague"], sentence, re.IGNORECASE)
            ]
            if issues and parts.get("issue") in (None, nothing):
                parts["issue"] = wording["summary"]["issue"].format(
                    issue=_shortened(issues[0], language)
                )
            if questions := [sentence for sentence in told if sentence[-1] in "?？"]:
                parts["asked"] = _shortened(questions[-1], language)
        elif told:
            done = [sentence for sentence in told if re.search(wording["done"], sentence)]
            parts["agent"] = _shortened((done or told)[-1], language)
        stated = [
            sentence
            for sentence in clauses
            if turn.speaker == CUSTOMER or sentence[-1] not in "?？"
        ]
        clauses = [
            _plain(clause, language)
            for sentence in stated
            for clause in _CLAUSE[language].split(sentence)
        ]
        known = [*facts, parts.get("issue", "")]
        facts += [
            clause
            for clause in dict.fromkeys(clauses)
            if find_facts(clause, language)
            and len(clause) <= LONGEST[language]
            and not any(clause in text for text in known)
        ]
    if facts:
        parts["facts"] = between.join(facts)
    parts.setdefault("issue", nothing)
    return parts


def fitted(parts: Mapping[str, str], bound: int, language: str) -> str:
    """The summary of these parts, at most `bound` tokens by the estimate: the oldest facts go
    first, then whole parts, the issue last.
    """
    wording = words(language)
    facts = parts["facts"].split(wording["between"]) if "facts" in parts else []
    shortened = dict(parts)
    while True:
        shortened = {name: part for name, part in shortened.items() if name != "facts"} | (
            {"facts": wording["between"].join(facts)} if facts else {}
        )
        named = [
            shortened[name]
            if name == "issue"
            else wording["summary"][name].format(**{name: shortened[name]})
            for name in PARTS
            if name in shortened
        ]
        text = ("" if language == "zh" else " ").join(named)
        if estimate(text) <= bound:
            return text
        if len(facts) > 1:
            facts = facts[1:]
        elif spare := [name for name in ("asked", "agent", "facts") if name in shortened]:
            facts = [] if spare[0] == "facts" else facts
            del shortened[spare[0]]
        else:
            return _within(text, bound, language)


def _within(text: str, bound: int, language: str) -> str:
    """The longest beginning of `text` that fits with a mark that it was cut, at a word's end."""
    pieces = re.findall(r"\S" if language == "zh" else r"\S+\s*", text)
    while len(pieces) > 1 and estimate("".join(pieces).rstrip() + "…") > bound:
        pieces.pop()
    return "".join(pieces).rstrip() + ("…" if estimate("".join(pieces) + "…") <= bound else "")


def _plain(sentence: str, language: str) -> str:
    """A sentence without the greeting it opens with and without marks that would end a
    quotation.
    """
    text = " ".join(re.sub(r'["“”;；]', "", sentence).split())
    return re.sub(words(language)["greeting"], "", text, flags=re.IGNORECASE)


def _shortened(sentence: str, language: str) -> str:
    longest, sentence = LONGEST[language], sentence.rstrip(".。 ")
    if len(sentence) <= longest:
        return sentence
    gap = " " if language == "en" else "，"
    return sentence[:longest].rsplit(gap, 1)[0] + "…"


for _function in (moderate, summary, refine, stage):
    register_scripted(_function.__name__, _function)
