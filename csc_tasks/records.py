"""Records, which the tasks, the baselines and re-scoring share; csc_tasks/measuring.py has the
numbers over them.

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

from collections.abc import Sequence
from typing import Any

from csc_tasks.conversation import HELD_OUT, Conversation
from csc_tasks.framework import BY_ID, STRATEGY_IDS, likeliest
from csc_tasks.languages.labels import strategy_name
from csc_tasks.metrics.facts import find_facts, has_rules, unsupported
from csc_tasks.named_strategies import of_several
from csc_tasks.prompts import Reply
from csc_tasks.question import Question


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
