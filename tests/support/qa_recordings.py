"""Recorded dialogues for the tests of csc build qa, and a server that plays all its stages by the
stand-in.
"""

import contextlib
import json
from itertools import count
from pathlib import Path

from builders.scripted import answerer
from builders.scripted.phrases import bank
from builders.scripted.player import plan, play
from builders.scripted.reading import read_back
from csc_tasks.conversation import merge_neighbours
from csc_tasks.errors import DataError
from csc_tasks.llm.exchange import Reply, Request
from tests.support.llm_server import Act, fingerprint, first_asked

STAGES = {  # stage -> its prompts
    "moderate": ("qa_moderate",),
    "summary": ("qa_summary",),
    "refine": ("qa_refine",),
    "stage": ("qa_stage",),
}

LANGUAGES = ("zh", "en")


def recording(number: int, language: str) -> dict:
    """A dialogue of 8 turns or more as a JSONL source has it."""
    problems = list(bank(language).problems)
    for attempt in count():
        *_, last = play(
            plan(
                f"qa test/{language}/{number}/{attempt}", language, problems[number % len(problems)]
            )
        )
        turns, _ = merge_neighbours(last.turns, " ")
        if len(turns) >= 8:
            said = [{"speaker": turn.speaker, "text": turn.text} for turn in turns]
            return {
                "conversation_id": f"{language}-{number}",
                "language": language,
                "topic": last.scenario.topic,
                "turns": said,
            }


def spoken(
    name: str, texts: list[str], language: str = "en", topic: str = "", first: str = "customer"
) -> dict:
    """A dialogue of these texts, speakers in turn."""
    speakers = ("customer", "supporter") if first == "customer" else ("supporter", "customer")
    turns = [{"speaker": speakers[i % 2], "text": text} for i, text in enumerate(texts)]
    return {"conversation_id": name, "language": language, "topic": topic, "turns": turns}


def write_source(path: Path, rows: list[dict]) -> Path:
    """A JSONL source."""
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def recordings(each: int) -> list[dict]:
    """So many dialogues of each language."""
    return [recording(number, language) for language in LANGUAGES for number in range(each)]


def asked_stage(messages: list[dict]) -> str:
    """Which stage a prompt belongs to."""
    for stage, names in STAGES.items():
        with contextlib.suppress(DataError):
            read_back(messages[:2], *names)
            return stage
    raise AssertionError(f"no prompt of csc build qa: {messages}")


def played(messages: list[dict]) -> str | Reply:
    """What the stand-in answers."""
    stage = asked_stage(messages)
    return getattr(answerer, stage)(Request(stage, "one id for all", 0, 0, messages))


FAULTS = (
    lambda right: Act(status=500),
    lambda right: Act(drop=True),
    lambda right: Act(right, cut=True),
    lambda right: Act(status=429, headers={"Retry-After": "0"}),
    lambda right: Act(right[: len(right) // 2], finish="length"),
    lambda right: Act(None, choices=[]),
    lambda right: Act(f"<think>Hm, {{</think>{right}"),
)


def over_http(faulty: bool = False):
    """A script for `llm_server` that plays all stages; `faulty`: for every third prompt something
    goes wrong when it comes first.
    """
    seen = set()

    def script(body, number):
        messages = first_asked(body["messages"])
        right = played(messages)
        if isinstance(right, Reply):
            return Act(None, message={"refusal": right.refusal})
        asked = fingerprint(messages)
        first = asked not in seen
        seen.add(asked)
        draw = int(asked[:8], 16)
        # Without a count of tokens everything is counted here, so that thinking does not make a
        # difference.
        act = (
            FAULTS[draw // 3 % len(FAULTS)](right)
            if faulty and first and draw % 3 == 0
            else Act(right)
        )
        return Act(
            **{name: getattr(act, name) for name in Act.__dataclass_fields__} | {"usage": None}
        )

    return script
