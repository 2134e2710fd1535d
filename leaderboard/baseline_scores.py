"""Every baseline of a corpus, scored as the tasks score a model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.conversation import CUSTOMER, HOW_TO_LABEL, Conversation
from csc_tasks.corpora.bad_rows import BAD_ROWS
from csc_tasks.errors import DataError, MissingSplit
from csc_tasks.languages.labels import strategy_name
from csc_tasks.measuring import measure
from csc_tasks.metrics import select
from csc_tasks.prompts import Reply, read_answer, read_text
from csc_tasks.question import REFERENCES
from csc_tasks.records import answer_record, turn_record
from csc_tasks.runs.task_record import ANSWERS, CONVERSATIONS, QUESTIONS, TURNS, shipped_in
from csc_tasks.runs.writing import TaskResult
from csc_tasks.telling import tally
from leaderboard.baseline_models import START, Choose, moments, strategy_baselines


def baselines(
    corpus: str,
    train: str | None = None,
    revision: str | None = None,
    language: str | None = None,
    metrics: str = "overlap",
    bad_rows: str = BAD_ROWS[0],
    limit: int | None = None,
) -> dict[str, list[TaskResult]]:
    """Every baseline's results on a corpus, by baseline name. bad_rows: of BAD_ROWS; prints those
    that are left out. limit: how many conversations and questions are scored, the first in the
    order of the tasks.

    Raises DataError where the corpus cannot be read, MissingSplit where there is nothing to count
    strategies in.
    """
    file = Path(corpus).expanduser()
    config = corpora.file_config(file) if file.is_file() else ""
    found: dict[str, list[TaskResult]] = {}
    test, missing = _read(corpus, "csconv", revision, bad_rows) if config != "qa" else (None, None)
    questions, missing_questions = (
        _read(corpus, "qa", revision, bad_rows) if config != "csconv" else (None, None)
    )
    if missing and not questions:
        # Questions that are all in train are said with the way out.
        if missing_questions and any(
            corpora.available(corpus, "qa", split) for split in corpora.SPLITS
        ):
            raise missing_questions
        raise missing
    if test:
        _score_conversations(test, train, revision, language, metrics, found, bad_rows, limit)
    if questions:
        _score_questions(questions, language, metrics, found, limit)
    if not any(found.values()):
        raise DataError(
            f"{corpus}: nothing to score{f' in {language}' if language else ''}: no labelled"
            " supporter turn and no question"
        )
    return {name: results for name, results in found.items() if results}


def _read(
    corpus: str, config: str, revision: str | None, bad_rows: str
) -> tuple[corpora.Corpus | None, MissingSplit | None]:
    """A corpus's test split, or the error that says there is none."""
    try:
        return _loaded(corpus, config, "test", revision, bad_rows), None
    except MissingSplit as error:
        return None, error


def _score_conversations(
    test: corpora.Corpus, train, revision, language, metrics, found, bad_rows, limit
) -> None:
    """Add every baseline's results on the conversations to `found`."""
    items = [item for item in test.items if language in (None, item.language)]
    labelled = [item for item in items if item.labelled_turns()]
    conversations = labelled or items
    if not conversations:
        return
    asked = conversations[:limit]
    chosen_by: Mapping[str, Choose] = {}
    if labelled:
        chosen_by = strategy_baselines(_training(test, train, revision, bad_rows))
    else:
        tally(f"{test.name}: no strategies to choose, so echo alone is scored; {HOW_TO_LABEL}")
    text = [metric for metric in select(metrics, "turn") if metric.of == "reply"]
    rated = any(turn.labels for item in asked for turn in item.dialogue)
    strategies = [metric for metric in select(None, "turn", labelled=rated) if metric.of_choice]
    hidden = any(item.history_held_out for item in conversations)
    for task, about in shipped_in(CONVERSATIONS).items():
        if hidden and not about.generated:
            tally(f"{task} is left out: {test.name} holds out turns that are the history of others")
            continue
        for name, choose in chosen_by.items():
            records = [
                record
                for item in asked
                for record in strategy_records(item, choose, about.generated)
            ]
            raws = [
                f"[{strategy_name(record['strategy'], record['language'])}]" for record in records
            ]
            found.setdefault(name, []).append(
                _result(task, TURNS, test, asked, records, raws, strategies, conversations)
            )
        records = [record for item in asked for record in echo_records(item)]
        raws = [record["reply"] for record in records]
        found.setdefault("echo", []).append(
            _result(task, TURNS, test, asked, records, raws, text, conversations)
        )


def _training(
    test: corpora.Corpus, train: str | None, revision: str | None, bad_rows: str
) -> Sequence[Conversation]:
    """The conversations that strategies are counted in; raises DataError where none will do."""
    if train is None and Path(test.name).expanduser().is_file():
        raise MissingSplit(f"{test.name}: one file has no training split; give --train CORPUS")
    named = train or test.name
    training = without(
        training_conversations(named, revision if train is None else None, bad_rows),
        test.items,
        named,
    )
    if not any(item.labelled_turns() for item in training):
        raise DataError(
            f"{named}: no labelled supporter turn to count strategies in; give --train CORPUS"
        )
    if any(item.held_out_turns() for item in training):
        raise DataError(f"{named}: holds strategies out; give --train CORPUS that holds none out")
    return training


def _score_questions(questions: corpora.Corpus, language, metrics, found, limit) -> None:
    """Add echo's results on the questions to `found`."""
    items = [item for item in questions.items if language in (None, item.language)]
    asked = items[:limit]
    records = [
        answer_record(q, getattr(q, REFERENCES[0]), read_answer(q.client_question), None, None)
        for q in asked
    ]
    answers = [metric for metric in select(metrics, "answer") if metric.of == "reply"]
    raws = [record["reply"] for record in records]
    for task in shipped_in(QUESTIONS) if items else ():
        found.setdefault("echo", []).append(
            _result(task, ANSWERS, questions, asked, records, raws, answers, items)
        )


def _loaded(
    corpus: str, config: str, split: str, revision: str | None, bad_rows: str
) -> corpora.Corpus:
    """A split of a corpus; prints which of its rows are left out."""
    read = corpora.load(corpus, config, split, revision, bad_rows)
    if read.left_out:
        tally(*read.report(), sep="\n")
    return read


def training_conversations(
    corpus: str, revision: str | None = None, bad_rows: str = BAD_ROWS[0]
) -> Sequence[Conversation]:
    """The training split of a corpus: csconv/train, else rolecs/train; a file is one as a whole."""
    for config in ("csconv", "rolecs"):
        try:
            return _loaded(corpus, config, "train", revision, bad_rows).items
        except MissingSplit as error:
            missing = error
    raise MissingSplit(f"{missing} To count strategies elsewhere, give --train CORPUS.")


def without(
    training: Sequence[Conversation], tested: Sequence[Conversation], name: str
) -> Sequence[Conversation]:
    """The training conversations, from the corpus `name`, that are not tested too, by id or by
    content; says how many are left out. Raises DataError where all are.
    """
    ids = {item.conversation_id for item in tested}
    contents = {item.dialogue for item in tested}
    apart = [
        item
        for item in training
        if item.conversation_id not in ids and item.dialogue not in contents
    ]
    left_out = len(training) - len(apart)
    if not apart:
        raise DataError(
            f"{name}: all {left_out:,} training conversations are scored too; give --train CORPUS"
            " with others"
        )
    if left_out:
        tally(f"{left_out:,} training conversations are scored too and left out")
    return apart


def strategy_records(conversation: Conversation, choose: Choose, own: bool) -> list[dict]:
    """A record per scored turn; `own` feeds the baseline its own previous choice instead of the
    gold one.
    """
    records, previous = [], START
    for turn, moment in moments(conversation):
        chosen = choose(replace(moment, previous=previous) if own else moment)
        records.append(turn_record(conversation, turn, Reply(chosen, ""), None, None))
        previous = chosen
    return records


def echo_records(conversation: Conversation) -> list[dict]:
    """A record per scored turn whose reply is the customer's last utterance before it ("" when
    there is none).
    """
    records, last = [], Reply(None, "")
    scored = set(conversation.scored_turns())
    for position, turn in enumerate(conversation.dialogue):
        if turn.speaker == CUSTOMER:
            # As it would be read if a model wrote it.
            last = read_text(turn.text, code=conversation.language)
        elif position in scored:
            records.append(turn_record(conversation, position, last, None, None, chooses=False))
    return records


def _result(
    task: str,
    unit: str,
    corpus: corpora.Corpus,
    items: Sequence,
    records: list[dict],
    raws: list[str],
    metrics: list,
    due: Sequence,
) -> TaskResult:
    """due: all documents of the task, of which `items` are asked about."""
    return TaskResult(
        task,
        unit,
        corpus,
        items,
        records,
        measure(records, metrics, sorted({item.language for item in items})),
        raws,
        due,
    )
