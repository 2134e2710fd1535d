"""Files of live conversations: samples of cscx_conv_live, and JSON lines of live dialogues
(`LiveDialogue.to_json`) that another program wrote.

A run is known by its content: what it says of its customer and corpus, its documents, and all that
was said.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from csc_tasks.errors import CscError
from csc_tasks.live import LiveDialogue, dialogues_of
from csc_tasks.reading import json_lines, read_json
from csc_tasks.runs.names import SAMPLES, results_beside
from csc_tasks.runs.public import public_name
from leaderboard.customer_audit import AuditedRun

WANTED = "give samples of cscx_conv_live, or lines of live dialogues"
Words = tuple[tuple[str, str], ...]
"""Who says what in a recorded conversation: (speaker, text) of every turn."""


@dataclass(frozen=True, slots=True)
class About:
    """What the results file beside some samples says: the model, and of the customer."""

    model: str = ""
    customer_prompt: str | None = None
    temperature: float | None = None
    briefs: str | None = None
    max_turns: int | None = None
    corpus: str | None = None


@dataclass(frozen=True, slots=True)
class LiveFile:
    """The live conversations of one file, with the recorded words of each (nothing where the file
    has none). about: what the results file beside it says.
    """

    about: About
    dialogues: tuple[tuple[LiveDialogue, Words], ...]

    def run_of(self, customer: str) -> AuditedRun:
        """What a customer's conversations in it are known by."""
        digest = hashlib.sha256()
        own = [(one.to_json(), words) for one, words in self.dialogues if one.customer == customer]
        for part in (asdict(self.about), *own):
            text = json.dumps(part, ensure_ascii=False, sort_keys=True)
            digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
        return AuditedRun(model=public_name(self.about.model), sha256=digest.hexdigest())

    @property
    def customers(self) -> list[str]:
        """The customers in it."""
        return sorted({dialogue.customer for dialogue, _ in self.dialogues})


def read_live(file: Path, strict: bool = False) -> LiveFile:
    """The live conversations of a file; a file of something else has none. Raises DataError for one
    that cannot be read, and where `strict` for one without any.
    """
    return LiveFile(_about(file), tuple(_dialogues(file, strict)))


def _dialogues(file: Path, strict: bool) -> list[tuple[LiveDialogue, Words]]:
    """The live conversations in a file, with what was recorded of each as the file says (nothing
    where it does not); a file of something else has none, unless it is the only one that was named.
    """
    read: list[tuple[LiveDialogue, Words]] = []
    for number, line in json_lines(file, WANTED):
        where = f"{file} line {number}"
        if "live" in line:
            words = _words(line.get("doc"))
            read += [(dialogue, words) for dialogue in dialogues_of(line, where)]
        elif strict or {"customer", "turns", "ending"} <= line.keys():
            read.append((LiveDialogue.from_json(line, where), ()))
    return read


def _words(doc: object) -> Words:
    turns = doc.get("dialogue") if isinstance(doc, Mapping) else None
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        return ()
    return tuple((str(turn.get("speaker")), str(turn.get("text"))) for turn in turns)


def _about(file: Path) -> About:
    """What is said beside a samples file; nothing where that cannot be read."""
    named = SAMPLES.fullmatch(file.name)
    if not named:
        return About()
    try:
        results: dict[str, Any] = read_json(results_beside(file), "run the evaluation again")
        csc = results["configs"][named["task"]]["metadata"]["csc"]
        told = [csc.get(name) for name in ("customer_prompt", "briefs", "content_hash")]
        prompt, briefs, corpus = (text if isinstance(text, str) else None for text in told)
        degree = csc.get("customer_temperature")
        temperature = float(degree) if isinstance(degree, int | float) else None
        most = csc.get("max_turns")
        turns = most if type(most) is int else None
        return About(str(results["model_name"]), prompt, temperature, briefs, turns, corpus)
    except (CscError, LookupError, TypeError, AttributeError):
        return About()
