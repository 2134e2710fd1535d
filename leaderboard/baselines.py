"""Baselines of a corpus: what a score is worth that needs no model at all.

  csc baselines demo
  csc baselines ORG/NAME --out results/

majority   always the commonest strategy of the training split
bigram     the strategy that most often follows the previous one in the training split; in generated
           context its own previous one
echo       repeats the customer's last words; no strategy

Counts are made per language on the corpus's training split (csconv/train, else rolecs/train, else
--train). Strategy baselines say nothing and are scored on strategies only; echo is scored on text
only. Results are written in lm_eval's format, one folder per baseline.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.arguments import CORPUS
from csc_tasks.conversation import CUSTOMER, Conversation
from csc_tasks.errors import DataError, MissingSplit
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages import languages
from csc_tasks.metrics import METRICS, select
from csc_tasks.prompts import Reply
from csc_tasks.question import REFERENCES
from csc_tasks.records import answer_record, measure, turn_record
from csc_tasks.runs.names import value_keys
from csc_tasks.runs.task_record import ANSWERS, CONVERSATIONS, QUESTIONS, TURNS, shipped_in
from csc_tasks.runs.writing import TaskResult, as_results, check_out, samples, write

START = ""
Choose = Callable[[str, str], str]
"""(language, previous strategy id or START) -> strategy id."""


def add_arguments(parser) -> None:
    """The options of `csc baselines`."""
    parser.add_argument(
        "corpus",
        metavar="CORPUS",
        help=f"{CORPUS}; its csconv/test and qa/test, as far as they exist, are scored",
    )
    parser.add_argument(
        "--train",
        metavar="CORPUS",
        help="count strategies here instead of in the corpus's own training split",
    )
    parser.add_argument("--revision", help="commit, tag or branch of a Hub corpus")
    parser.add_argument("--language", choices=tuple(languages()), help="only this language")
    parser.add_argument(
        "--metrics",
        default="overlap",
        help="text metrics of echo: overlap, all or a comma-separated list",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="also write results and samples files below DIR"
    )


def main(args) -> None:
    """Compute the baselines of a corpus, print them, and write them into args.out as results."""
    if args.out:
        check_out(args.out)
    found = baselines(args.corpus, args.train, args.revision, args.language, args.metrics)
    settings = {"corpus": args.corpus, "train": args.train}
    tables = {
        name: as_results(f"baseline/{name}", settings, results) for name, results in found.items()
    }
    print_table(tables)
    for name, results in found.items() if args.out else ():
        logged = {result.task: samples(result) for result in results}
        print(f"wrote {write(args.out, tables[name], logged)}")


def baselines(
    corpus: str,
    train: str | None = None,
    revision: str | None = None,
    language: str | None = None,
    metrics: str = "overlap",
) -> dict[str, list[TaskResult]]:
    """Every baseline's results on a corpus, by baseline name.

    Raises DataError where the corpus cannot be read, MissingSplit where there is nothing to count
    strategies in.
    """
    file = Path(corpus).expanduser()
    config = corpora.file_config(file) if file.is_file() else ""
    found: dict[str, list[TaskResult]] = {"majority": [], "bigram": [], "echo": []}
    test, missing = _read(corpus, "csconv", revision) if config != "qa" else (None, None)
    questions, missing_questions = (
        _read(corpus, "qa", revision) if config != "csconv" else (None, None)
    )
    if missing and not questions:
        # Questions that are all in train are said with the way out.
        if missing_questions and any(
            corpora.available(corpus, "qa", split) for split in corpora.SPLITS
        ):
            raise missing_questions
        raise missing
    if test:
        _score_conversations(test, train, revision, language, metrics, found)
    if questions:
        _score_questions(questions, language, metrics, found)
    if not any(found.values()):
        raise DataError(
            f"{corpus}: nothing to score{f' in {language}' if language else ''}: no labelled"
            " supporter turn and no question"
        )
    return {name: results for name, results in found.items() if results}


def _read(
    corpus: str, config: str, revision: str | None
) -> tuple[corpora.Corpus | None, MissingSplit | None]:
    """A corpus's test split, or the error that says there is none."""
    try:
        return corpora.load(corpus, config, "test", revision), None
    except MissingSplit as error:
        return None, error


def _score_conversations(test: corpora.Corpus, train, revision, language, metrics, found) -> None:
    """Add every baseline's results on the conversations to `found`."""
    conversations = [
        item for item in test.items if item.scored_turns() and language in (None, item.language)
    ]
    if not conversations:
        return
    if train is None and Path(test.name).expanduser().is_file():
        raise MissingSplit(f"{test.name}: one file has no training split; give --train CORPUS")
    training = training_conversations(train or test.name, revision if train is None else None)
    if not any(item.scored_turns() for item in training):
        raise DataError(
            f"{train or test.name}: no labelled supporter turn to count strategies in; give --train"
            " CORPUS"
        )
    majority, bigram = majority_of(training), bigram_of(training)
    text = [metric for metric in select(metrics, "turn") if metric.of == "reply"]
    strategies = [metric for metric in METRICS.values() if metric.of == "strategy"]
    for task, about in shipped_in(CONVERSATIONS).items():
        for name, choose in (("majority", majority), ("bigram", bigram)):
            records = [
                record
                for item in conversations
                for record in strategy_records(item, choose, about.generated)
            ]
            found[name].append(_result(task, TURNS, test, conversations, records, strategies))
        records = [record for item in conversations for record in echo_records(item)]
        found["echo"].append(_result(task, TURNS, test, conversations, records, text))


def _score_questions(questions: corpora.Corpus, language, metrics, found) -> None:
    """Add echo's results on the questions to `found`."""
    items = [item for item in questions.items if language in (None, item.language)]
    records = [
        answer_record(q, getattr(q, REFERENCES[0]), Reply(None, q.client_question), None, None)
        for q in items
    ]
    answers = [metric for metric in select(metrics, "answer") if metric.of == "reply"]
    for task in shipped_in(QUESTIONS) if items else ():
        found["echo"].append(_result(task, ANSWERS, questions, items, records, answers))


def training_conversations(corpus: str, revision: str | None = None) -> Sequence[Conversation]:
    """The training split of a corpus: csconv/train, else rolecs/train; a file is one as a whole."""
    for config in ("csconv", "rolecs"):
        try:
            return corpora.load(corpus, config, "train", revision).items
        except MissingSplit as error:
            missing = error
    raise MissingSplit(f"{missing} To count strategies elsewhere, give --train CORPUS.")


def majority_of(training: Sequence[Conversation]) -> Choose:
    """The commonest strategy of each language (ties: the earlier one in the table); a language
    without training turns uses all of them.
    """
    counts: dict[str, Counter] = defaultdict(Counter)
    for conversation in training:
        for turn in conversation.scored_turns():
            counts[conversation.language][conversation.dialogue[turn].strategy] += 1
            counts[""][conversation.dialogue[turn].strategy] += 1
    return lambda language, previous: _commonest(counts.get(language) or counts[""])


def bigram_of(training: Sequence[Conversation]) -> Choose:
    """The strategy seen most often after the previous one, per language; after one never seen
    there, the majority.
    """
    counts: dict[tuple, Counter] = defaultdict(Counter)
    for conversation in training:
        previous = START
        for turn in conversation.scored_turns():
            counts[conversation.language, previous][conversation.dialogue[turn].strategy] += 1
            previous = conversation.dialogue[turn].strategy
    majority = majority_of(training)
    return lambda language, previous: (
        _commonest(counts[language, previous])
        if (language, previous) in counts
        else majority(language, previous)
    )


def strategy_records(conversation: Conversation, choose: Choose, own: bool) -> list[dict]:
    """A record per scored turn; `own` feeds the baseline its own previous choice instead of the
    gold one.
    """
    records, previous = [], START
    for turn in conversation.scored_turns():
        chosen = choose(conversation.language, previous)
        records.append(turn_record(conversation, turn, Reply(chosen, ""), None, None))
        previous = chosen if own else conversation.dialogue[turn].strategy
    return records


def echo_records(conversation: Conversation) -> list[dict]:
    """A record per scored turn whose reply is the customer's last utterance before it ("" when
    there is none).
    """
    records, last = [], ""
    scored = set(conversation.scored_turns())
    for position, turn in enumerate(conversation.dialogue):
        if turn.speaker == CUSTOMER:
            last = turn.text
        elif position in scored:
            records.append(
                turn_record(conversation, position, Reply(None, last), None, None, chooses=False)
            )
    return records


def print_table(tables: Mapping[str, Mapping]) -> None:
    """One Markdown row per baseline, task and metric of each baseline's results dictionary."""
    print("|baseline|task|metric|value|stderr|\n|---|---|---|---:|---:|")
    for name, table in tables.items():
        for task, numbers in table["results"].items():
            for metric in table["higher_is_better"][task]:
                value, error = (numbers[key] for key in value_keys(metric))
                print(f"|{name}|{task}|{metric}|{_shown(value)}|{_shown(error)}|")


def _result(
    task: str,
    unit: str,
    corpus: corpora.Corpus,
    items: Sequence,
    records: list[dict],
    metrics: list,
) -> TaskResult:
    return TaskResult(
        task,
        unit,
        corpus,
        items,
        records,
        measure(records, metrics, sorted({item.language for item in items})),
    )


def _shown(number: float | str) -> str:
    return number if isinstance(number, str) else f"{number:.4f}"


def _commonest(counts: Counter) -> str:
    return max(STRATEGY_IDS, key=lambda strategy: (counts[strategy], -STRATEGY_IDS.index(strategy)))


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
