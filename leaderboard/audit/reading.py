"""A run's live conversations, and the recorded ones with the same ids: what an audit is given.

Read are samples of cscx_conv_live, and JSON lines of live dialogues (`LiveDialogue.to_json`) that
another program wrote.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from csc_tasks import corpora
from csc_tasks.conversation import CUSTOMER, Conversation
from csc_tasks.corpora import Corpus
from csc_tasks.draws import draw
from csc_tasks.errors import CscError, DataError, SettingError
from csc_tasks.live import FAILED, Brief, LiveDialogue, dialogues_of
from csc_tasks.reading import json_lines, read_json
from csc_tasks.runs.names import SAMPLES, results_beside
from leaderboard.audit.turns import recorded_dialogue

Told = TypeVar("Told", str | None, float | None)
WANTED = "give samples of cscx_conv_live, or lines of live dialogues"
Words = tuple[tuple[str, str], ...]
"""Who says what in a recorded conversation: (speaker, text) of every turn."""


@dataclass(frozen=True, slots=True)
class Played:
    """The live conversations of one customer, by conversation id. models: who it talked with.
    customer_prompt, customer_temperature, briefs, corpus: what the runs say of the customer and the
    content of their corpus, None where they say nothing. documents: the recorded conversations as
    the runs have them. counts: what was left out, by reason.
    """

    customer: str
    models: tuple[str, ...]
    customer_prompt: str | None
    customer_temperature: float | None
    briefs: str | None
    corpus: str | None
    dialogues: Mapping[str, LiveDialogue]
    documents: Mapping[str, Words]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Played and recorded conversations in the same order, of one language. reference: all recorded
    conversations of the language, with or without a played one.
    """

    played: tuple[LiveDialogue, ...]
    recorded: tuple[LiveDialogue, ...]
    reference: tuple[LiveDialogue, ...]
    language: str
    counts: Mapping[str, int]


def read_played(path: Path, customer: str | None = None) -> Played:
    """The live conversations below a path, with one customer: the only one there is, or `customer`.

    Of several with one id (several models, repeats) a draw by the id decides which one is audited.
    Raises DataError where there are none or where the runs are not of one customer and corpus,
    SettingError where the customer has to be chosen.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder; {WANTED}")
    files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    rows: dict[str, list[tuple[_About, LiveDialogue]]] = {}
    documents: dict[str, Words] = {}
    for file in files:
        about = _about(file)
        for dialogue, words in _dialogues(file, strict=len(files) == 1):
            rows.setdefault(dialogue.customer, []).append((about, dialogue))
            if words:
                documents[dialogue.conversation_id] = words
    if not rows:
        raise DataError(f"{path}: no live conversation in it; {WANTED}")
    if customer is None:
        if len(rows) > 1:
            listed = ", ".join(sorted(rows))
            raise SettingError(
                f"{path}: has {len(rows)} customers ({listed}); name one with --customer"
            )
        customer = next(iter(rows))
    if customer not in rows:
        raise SettingError(
            f"--customer {customer}: {path} has none of that name, but {', '.join(sorted(rows))}"
        )
    groups: dict[str, list[LiveDialogue]] = {}
    failed = 0
    for _, dialogue in sorted(rows[customer], key=lambda row: row[0].model):
        if dialogue.ending == FAILED:
            failed += 1
        else:
            groups.setdefault(dialogue.conversation_id, []).append(dialogue)
    if not groups:
        raise DataError(f"{path}: all {failed} conversations of {customer} failed; nothing is left")
    chosen = {id_: group[draw(f"audit\n{id_}") % len(group)] for id_, group in groups.items()}
    counts = Counter({"live conversations read": len(rows[customer])})
    if failed:
        counts["left out: the customer's model gave no usable answer"] = failed
    if more := len(rows[customer]) - failed - len(chosen):
        counts["left out: another of the same conversation was drawn"] = more
    for other in rows.keys() - {customer}:
        counts["left out: another customer"] += len(rows[other])
    abouts = {about for about, _ in rows[customer]}
    return Played(
        customer,
        tuple(sorted({about.model for about in abouts} - {""})),
        _same({about.customer_prompt for about in abouts}, path, "prompt of the customer"),
        _same({about.temperature for about in abouts}, path, "temperature of the customer"),
        _same({about.briefs for about in abouts}, path, "briefs"),
        _same({about.corpus for about in abouts}, path, "content of the corpus"),
        chosen,
        documents,
        dict(counts),
    )


def read_recorded(name: str, config: str, split: str, revision: str | None = None) -> Corpus:
    """The recorded conversations; raises DataError as `csc_tasks.corpora.load` does."""
    corpus = corpora.load(name, config, split, revision)
    if not isinstance(corpus.items[0], Conversation):
        raise DataError(f"{name}: {config} holds questions; give a corpus of conversations")
    return corpus


def pair(played: Played, recorded: Sequence[Conversation], language: str | None = None) -> Pairs:
    """Put each played conversation beside the recorded one of the same id, both with one brief.

    Raises DataError where no id occurs on both sides or a conversation is another one in the run,
    SettingError where the language has to be chosen.
    """
    counts = Counter(played.counts)
    by_id = {conversation.conversation_id: conversation for conversation in recorded}
    both = [id_ for id_ in by_id if id_ in played.dialogues]
    if unknown := len(played.dialogues) - len(both):
        counts["left out: not among the recorded conversations"] = unknown
    if not both:
        first = next(iter(played.dialogues))
        raise DataError(
            f"none of the {len(played.dialogues)} played conversations (such as {first}) is in the"
            " recorded corpus; give the corpus and split that the run was made with"
        )
    for id_ in both:
        words = tuple((turn.speaker, turn.text) for turn in by_id[id_].dialogue)
        if played.documents.get(id_, words) != words:
            raise DataError(
                f"the run was made with another conversation {id_} than the recorded corpus has;"
                " give the corpus and split that the run was made with"
            )
    there = sorted({by_id[id_].language for id_ in both})
    if language is None and len(there) > 1:
        raise SettingError(f"the run is in {', '.join(there)}; choose one with --language")
    language = language or there[0]
    own = [id_ for id_ in both if by_id[id_].language == language]
    if not own:
        raise SettingError(f"--language {language}: the run is in {', '.join(there)}")
    if others := len(both) - len(own):
        counts["left out: another language"] = others
    empty = [id_ for id_ in own if not _spoke(played.dialogues[id_])]
    if empty:
        counts["left out: the customer said nothing"] = len(empty)
    own = [id_ for id_ in own if id_ not in set(empty)]
    counts["conversations compared"] = len(own)
    briefs: dict[str, Brief | None] = {id_: played.dialogues[id_].brief for id_ in own}
    reference = tuple(
        recorded_dialogue(conversation, briefs.get(conversation.conversation_id))
        for conversation in recorded
        if conversation.language == language
    )
    people = {dialogue.conversation_id: dialogue for dialogue in reference}
    return Pairs(
        tuple(replace(played.dialogues[id_], language=language) for id_ in own),
        tuple(people[id_] for id_ in own),
        reference,
        language,
        dict(counts),
    )


def _spoke(dialogue: LiveDialogue) -> bool:
    return any(turn.speaker == CUSTOMER and turn.text.strip() for turn in dialogue.turns)


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


@dataclass(frozen=True, slots=True)
class _About:
    """What the results file beside some samples says: the model, and of the customer."""

    model: str = ""
    customer_prompt: str | None = None
    temperature: float | None = None
    briefs: str | None = None
    corpus: str | None = None


def _about(file: Path) -> _About:
    """What is said beside a samples file; nothing where that cannot be read."""
    named = SAMPLES.fullmatch(file.name)
    if not named:
        return _About()
    try:
        results: dict[str, Any] = read_json(results_beside(file), "run the evaluation again")
        csc = results["configs"][named["task"]]["metadata"]["csc"]
        told = [csc.get(name) for name in ("customer_prompt", "briefs", "content_hash")]
        prompt, briefs, corpus = (text if isinstance(text, str) else None for text in told)
        degree = csc.get("customer_temperature")
        temperature = float(degree) if isinstance(degree, int | float) else None
        return _About(str(results["model_name"]), prompt, temperature, briefs, corpus)
    except (CscError, LookupError, TypeError, AttributeError):
        return _About()


def _same(values: set[Told], path: Path, what: str) -> Told:
    """The one value that all runs have. Raises DataError for several: an audit of a mixture would
    be of none of them.
    """
    if len(values) > 1:
        listed = ", ".join(sorted("none stated" if one is None else str(one) for one in values))
        raise DataError(f"{path}: its runs differ in the {what} ({listed}); audit them apart")
    return values.pop()
