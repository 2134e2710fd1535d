"""A run's live conversations, and the recorded ones with the same ids: what an audit is given."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from csc_tasks import corpora
from csc_tasks.conversation import CUSTOMER, Conversation
from csc_tasks.corpora import Corpus
from csc_tasks.draws import draw
from csc_tasks.errors import DataError, SettingError
from csc_tasks.live import FAILED, Brief, LiveDialogue
from leaderboard.audit.live_files import WANTED, LiveFile, Words, read_live
from leaderboard.audit.turns import recorded_dialogue
from leaderboard.customer_audit import AuditedRun

Told = TypeVar("Told", str | None, float | None, int | None)


@dataclass(frozen=True, slots=True)
class Played:
    """The live conversations of one customer, by conversation id. runs: those that they are from.
    customer_prompt, customer_temperature, briefs, max_turns, corpus: what the runs say of the
    customer and the content of their corpus, None where they say nothing. documents: the recorded
    conversations as the runs have them. counts: what was left out, by reason.
    """

    customer: str
    runs: tuple[AuditedRun, ...]
    customer_prompt: str | None
    customer_temperature: float | None
    briefs: str | None
    max_turns: int | None
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

    Raises DataError where there are none or where the runs are not of one customer and corpus,
    SettingError where the customer has to be chosen.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder; {WANTED}")
    files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    live = [read_live(file, strict=len(files) == 1) for file in files]
    there = sorted({name for one in live for name in one.customers})
    if not there:
        raise DataError(f"{path}: no live conversation in it; {WANTED}")
    if customer is None and len(there) > 1:
        raise SettingError(
            f"{path}: has {len(there)} customers ({', '.join(there)}); name one with --customer"
        )
    customer = there[0] if customer is None else customer
    if customer not in there:
        raise SettingError(
            f"--customer {customer}: {path} has none of that name, but {', '.join(there)}"
        )
    return played_of(live, customer, str(path))


def played_of(live: Iterable[LiveFile], customer: str, where: str) -> Played:
    """The conversations of one customer in files. Of several with one id (several models, repeats)
    a draw by the id decides which one is audited. `where` opens the error.

    Raises DataError where all failed and where the runs are not of one customer and corpus.
    """
    # By content: the order of files is nobody's choice.
    known = {one.run_of(customer).sha256: one for one in live if customer in one.customers}
    files = sorted(known.items(), key=lambda pair: (pair[1].about.model, pair[0]))
    groups: dict[str, list[LiveDialogue]] = {}
    documents: dict[str, Words] = {}
    counts: Counter[str] = Counter()
    others = 0
    for _, file in files:
        for dialogue, words in file.dialogues:
            if words:
                documents[dialogue.conversation_id] = words
            if dialogue.customer != customer:
                others += 1
                continue
            counts["live conversations read"] += 1
            if dialogue.ending == FAILED:
                counts["left out: the customer's model gave no usable answer"] += 1
            else:
                groups.setdefault(dialogue.conversation_id, []).append(dialogue)
    if not groups:
        failed = counts["live conversations read"]
        raise DataError(
            f"{where}: all {failed} conversations of {customer} failed; nothing is left"
        )
    chosen = {id_: group[draw(f"audit\n{id_}") % len(group)] for id_, group in groups.items()}
    if more := sum(map(len, groups.values())) - len(chosen):
        counts["left out: another of the same conversation was drawn"] = more
    if others:
        counts["left out: another customer"] = others
    abouts = {file.about for _, file in files}
    return Played(
        customer,
        tuple(file.run_of(customer) for _, file in files),
        _same({about.customer_prompt for about in abouts}, where, "prompt of the customer"),
        _same({about.temperature for about in abouts}, where, "temperature of the customer"),
        _same({about.briefs for about in abouts}, where, "briefs"),
        _same({about.max_turns for about in abouts}, where, "turns at most (csc_max_turns)"),
        _same({about.corpus for about in abouts}, where, "content of the corpus"),
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


def _same(values: set[Told], where: str, what: str) -> Told:
    """The one value that all runs have. Raises DataError for several: an audit of a mixture would
    be of none of them.
    """
    if len(values) > 1:
        listed = ", ".join(sorted("none stated" if one is None else str(one) for one in values))
        raise DataError(f"{where}: its runs differ in the {what} ({listed}); audit them apart")
    return values.pop()
