"""Records and the metrics over them: what the tasks, the baselines and re-scoring share.

A record is one scored supporter turn or one answer, as it stands under `turns` or `answers` in a
logged samples file:
`conversation_id, turn, language, topic, reference, reply, failed, empty, thinking_cut, truncated,
history_truncated`, and for turns with strategies also `gold_strategy, gold_stages, strategy,
stages, unparsed`. Where a run asked several times (`csc_repeats`), `repeat` says which time, from
0. Where it asked again for what it could not read (`csc_reask`), `reasked` says whether, and
`first_reply` is what the model wrote first. A failed item has an empty reply, and `failure` says
why. Answers to questions with passages also
have `passages`, those that support facts and, in a task that shows them, were shown, and
`unsupported_facts`, how many facts of the reply stand neither in them nor in what came before.
`timing` is what the reply took, as far as the backend told (csc_tasks/timing.py); no metric looks
at it. Flags that a backend cannot tell, or that an older record does not have, are None and are
left out of their mean.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from csc_tasks.conversation import HELD_OUT, Conversation
from csc_tasks.framework import BY_ID, STRATEGY_IDS, likeliest
from csc_tasks.languages.labels import strategy_name
from csc_tasks.metrics import METRICS, Estimate, LearnedSettings, Metric
from csc_tasks.metrics.consistency import OF, Consistency, pass_k, worst_of_k
from csc_tasks.metrics.facts import find_facts, has_rules, unsupported
from csc_tasks.metrics.metric import LABELS
from csc_tasks.metrics.needed import check_there
from csc_tasks.metrics.result_names import in_language, normalised
from csc_tasks.named_strategies import named_strategies, of_several, raters_of
from csc_tasks.prompts import Reply
from csc_tasks.question import Question

log = logging.getLogger("lm_eval.csc_tasks")


@dataclass(frozen=True, slots=True)
class Column:
    """One metric over a list of records. `items[i]` belongs to record i; None where the metric has
    nothing to say about it.
    """

    metric: Metric
    items: list[Any]

    def estimate(self, clusters: Sequence[str], repeats: Sequence[int] | None = None) -> Estimate:
        """Corpus value and standard error, clustered by `clusters[i]` (conversation ids); items
        that are None stand aside. `repeats[i]` is the repeat that record i is of: the value is the
        mean over them.
        """
        known = [i for i, item in enumerate(self.items) if item is not None]
        return self.metric.estimate(
            [self.items[i] for i in known],
            [clusters[i] for i in known],
            None if repeats is None else [repeats[i] for i in known],
        )


def turn_record(
    conversation: Conversation,
    turn: int,
    reply: Reply,
    truncated: bool | None,
    history_truncated: bool | None,
    chooses: bool = True,
    failure: str = "",
) -> dict[str, Any]:
    """The record of one supporter turn: gold, what the model chose and said, and what happened on
    the way.

    `chooses` is false where no strategy was asked for; then the reply is neither parsed nor
    unparsed (None). `failure` is why there is no reply, "" where there is one. Of a turn that is
    held out reference and gold strategy are "", and no metric against them says anything about it.
    """
    gold = conversation.dialogue[turn]
    strategy, reference = ("", "") if gold.held_out else (gold.strategy, gold.text)
    return (
        {
            "conversation_id": conversation.conversation_id,
            "turn": turn,
            "language": conversation.language,
            "topic": conversation.topic,
            "gold_strategy": strategy,
            "gold_stages": list(BY_ID[strategy].stages) if strategy else [],
            "strategy": reply.strategy,
            "stages": list(BY_ID[reply.strategy].stages) if reply.strategy else [],
            "reference": reference,
            "reply": reply.text,
            "unparsed": reply.strategy is None if chooses else None,
            "empty": reply.empty,
            "thinking_cut": reply.thinking_cut,
            "truncated": truncated,
            "history_truncated": history_truncated,
        }
        | _failed(failure)
        | of_several(gold, reply)
    )


def asked_again(first: str | None) -> dict[str, Any]:
    """What a turn's record says of asking again; first: the raw reply that could not be read, None
    where the turn was asked once.
    """
    return {"reasked": first is not None} | ({} if first is None else {"first_reply": first})


def choice_record(
    conversation: Conversation,
    turn: int,
    sums: Sequence[float] | None,
    history_truncated: bool | None,
    failure: str = "",
) -> dict[str, Any]:
    """The record of a strategy choice. sums: the twelve names' log-likelihoods in the table's
    order, None where it failed.
    """
    best = best_norm = None
    if sums is not None:
        # lm_eval's acc_norm divides by characters, and so do we: token counts differ between
        # models.
        names = [f"[{strategy_name(id_, conversation.language)}]" for id_ in STRATEGY_IDS]
        normed = [value / len(name) for value, name in zip(sums, names, strict=True)]
        best, best_norm = likeliest(sums), likeliest(normed)
    record = turn_record(
        conversation, turn, Reply(best, ""), None, history_truncated, failure=failure
    )
    likelihoods = None if sums is None else dict(zip(STRATEGY_IDS, sums, strict=True))
    return record | {"strategy_norm": best_norm, "loglikelihoods": likelihoods}


def forced_record(
    conversation: Conversation,
    turn: int,
    reply: Reply,
    truncated: bool | None,
    history_truncated: bool | None,
    sums: Sequence[float] | None,
    written: str = "",
    failure: str = "",
) -> dict[str, Any]:
    """The record of a turn whose strategy was forced, and what it was chosen by: sums, as of
    `choice_record`, or `written`, what a server wrote that was made to write one of the names.
    """
    record = turn_record(conversation, turn, reply, truncated, history_truncated, failure=failure)
    if sums is not None:
        return record | {"loglikelihoods": dict(zip(STRATEGY_IDS, sums, strict=True))}
    return record | ({"written_strategy": written} if written else {})


def answer_record(
    question: Question,
    reference: str,
    reply: Reply,
    truncated: bool | None,
    history_truncated: bool | None,
    failure: str = "",
    passages: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The record of one answer; `failure` is why there is none, "" where there is one. A reference
    that is held out is "", and no metric against references says anything about the record.
    passages: those that support facts; None where none were looked up.
    """
    record = {
        "conversation_id": question.conversation_id,
        "turn": question.turn_index,
        "language": question.language,
        "topic": question.topic,
        "stage": question.stage,
        "reference": "" if reference == HELD_OUT else reference,
        "reply": reply.text,
        "empty": reply.empty,
        "thinking_cut": reply.thinking_cut,
        "truncated": truncated,
        "history_truncated": history_truncated,
    } | _failed(failure)
    if passages is None:
        return record
    facts = unsupported_facts(question, passages, reply.text)
    return record | {"passages": list(passages), "unsupported_facts": facts}


def unsupported_facts(question: Question, passages: Sequence[str], reply: str) -> int | None:
    """How many facts of a reply stand neither in what a question's row holds beside its answers nor
    in passages, by rule; None for a language without rules.
    """
    if not has_rules(question.language):
        return None
    told = (question.history_summary, question.instruction, question.client_question)
    support = [*told, *(turn.text for turn in question.conversation_history), *passages]
    facts = find_facts(reply, question.language)
    return len(unsupported(facts, support, question.language))


def _failed(failure: str) -> dict[str, Any]:
    return {"failed": bool(failure)} | ({"failure": failure} if failure else {})


def keys(
    metrics: Sequence[Metric], languages: Sequence[str]
) -> dict[str, tuple[Metric, str | None]]:
    """Result names: a text metric stands once per language of a mixed corpus (`bleu_4_zh`,
    `bleu_4_en`), all else once.
    """
    named: dict[str, tuple[Metric, str | None]] = {}
    for metric in metrics:
        if metric.by_language and len(languages) > 1:
            named |= {
                in_language(metric.name, language): (metric, language) for language in languages
            }
        else:
            named[metric.name] = (metric, None)
    return named


def measure(
    records: Sequence[Mapping[str, Any]],
    metrics: Sequence[Metric],
    languages: Sequence[str],
    learned: LearnedSettings | None = None,
) -> dict[str, Column]:
    """Every metric over every record, one call per metric and language."""
    columns = {}
    for name, (metric, only) in keys(metrics, languages).items():
        items: list[Any] = [None] * len(records)
        for language in [only] if only else languages:
            where = [
                i
                for i, record in enumerate(records)
                if record["language"] == language and _given(metric, record) is not None
            ]
            predictions, references = (
                zip(*(_given(metric, records[i]) for i in where), strict=True)
                if where
                else ((), ())
            )
            for i, item in zip(
                where, metric.score(predictions, references, language, learned).items, strict=True
            ):
                items[i] = item
        columns[name] = Column(metric, items)
    return columns


def measure_choices(
    records: Sequence[Mapping[str, Any]], metrics: Sequence[Metric], languages: Sequence[str]
) -> dict[str, Column]:
    """As `measure` for records of strategy choice, which hold two answers: by sum, and by
    length-normalised likelihood (`_norm`).
    """
    normed = [{**record, "strategy": record["strategy_norm"]} for record in records]
    columns = measure(records, metrics, languages)
    return columns | {
        normalised(name): column
        for name, column in measure(normed, _strategies(metrics), languages).items()
    }


def check_ready(
    metrics: Sequence[Metric], languages: Sequence[str], learned: LearnedSettings | None = None
) -> None:
    """Raise now what measuring would raise later for want of a library, weights or data; of several
    models that are missing all are named, and none is loaded before.
    """
    models = check_there(metrics, languages, learned)
    if models:
        log.info("the metrics need %s", "; ".join(one.line() for one in models))
    for metric in metrics:
        for language in languages:
            metric.ready(language, learned)


def signatures(
    metrics: Sequence[Metric], languages: Sequence[str], learned: LearnedSettings | None = None
) -> dict[str, str]:
    """What each result name measured exactly, without measuring anything."""
    return {
        name: metric.score([], [], only or languages[0], learned).signature
        for name, (metric, only) in keys(metrics, languages).items()
    }


def signatures_of_choices(metrics: Sequence[Metric], languages: Sequence[str]) -> dict[str, str]:
    """As `signatures`, for the columns of `measure_choices`."""
    plain = signatures(_strategies(metrics), languages)
    summed = {name: f"{signature}|likelihood:sum" for name, signature in plain.items()}
    normed = {
        normalised(name): f"{signature}|likelihood:per-character"
        for name, signature in plain.items()
    }
    return signatures(metrics, languages) | summed | normed


def _strategies(metrics: Sequence[Metric]) -> list[Metric]:
    return [metric for metric in metrics if metric.of_choice]


def without_strategies(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics that make sense for replies that were asked for without a strategy."""
    return [
        metric for metric in metrics if not metric.of_choice and metric is not METRICS["unparsed"]
    ]


def _given(metric: Metric, record: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """(prediction, reference) for `metric`, or None where the record does not know."""
    if metric.of == "strategy":
        gold = record["gold_strategy"]
        return (record["strategy"], gold) if gold and metric.counts(record["strategy"]) else None
    if metric.of == LABELS:
        raters = raters_of(record)
        return (named_strategies(record), raters) if raters else None
    if metric.of == "flag":
        flag = record.get(metric.name)
        return None if flag is None else (flag, None)
    if not record["reference"]:
        return None
    return record["reply"], record["reference"]


def repeats_of(records: Sequence[Mapping[str, Any]]) -> list[int]:
    """Which repeat of its run each record is of."""
    return [record.get("repeat", 0) for record in records]


def consistency_names(repeats: int) -> list[Consistency]:
    """What a run that asked several times says of its strategy accuracy."""
    return [Consistency(OF, kind, repeats) for kind in ("pass", "worst") if repeats > 1]


def consistency_columns(
    columns: Mapping[str, Column], records: Sequence[Mapping[str, Any]]
) -> dict[str, Column]:
    """pass^k and worst-of-k of strategy accuracy over records of k repeats; nothing of one. What
    is said of a turn stands at its first record, what is said of a conversation at the first of its
    records that says something; the others are None.
    """
    repeats = len(set(repeats_of(records)))
    if repeats < 2 or OF not in columns:
        return {}
    metric, right = columns[OF].metric, columns[OF].items
    turns: dict[tuple[str, int], list[int]] = {}
    conversations: dict[str, list[list[int]]] = {}
    for place, record in enumerate(records):
        own = turns.setdefault((record["conversation_id"], record["turn"]), [])
        if not own:
            conversations.setdefault(record["conversation_id"], []).append(own)
        own.append(place)
    if any(len(own) != repeats for own in turns.values()):
        return {}  # which only a changed file has
    passed: list[float | None] = [None] * len(records)
    worst: list[float | None] = [None] * len(records)
    for every in conversations.values():
        # Whether a turn whose strategy is held out was right is not known.
        asked = [own for own in every if all(right[place] is not None for place in own)]
        if not asked:
            continue
        table = np.array([[right[place] for place in own] for own in asked], dtype=float).T
        for own, item in zip(asked, pass_k(table, repeats).tolist(), strict=True):
            passed[own[0]] = item
        worst[asked[0][0]] = float(worst_of_k(table.mean(axis=1)[:, None], repeats)[0])
    names = [one.name for one in consistency_names(repeats)]
    return {names[0]: Column(metric, passed), names[1]: Column(metric, worst)}


class Aggregate:
    """lm_eval's aggregation: the documents' items -> one number. "N/A" where the number is not
    defined. repeats: how often each document was asked; its items stand one repeat after another.
    """

    def __init__(self, metric: Metric, what: str, repeats: int = 1) -> None:
        self.metric = metric
        self.what = what
        self.repeats = repeats

    def __call__(self, documents: Sequence[tuple[str, Sequence[Any]]]) -> float | str:
        items: list[Any] = []
        clusters: list[str] = []
        repeats: list[int] = []
        for conversation_id, values in documents:
            items += values
            clusters += [conversation_id] * len(values)
            each = len(values) // self.repeats
            repeats += [position // each for position in range(len(values))]
        estimated = Column(self.metric, items).estimate(clusters, repeats)
        value: float | None = getattr(estimated, self.what)
        return "N/A" if value is None else value
