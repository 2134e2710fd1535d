"""What summaries and refined answers keep of the facts (names, numbers, amounts, dates, codes), in
languages with fact rules.
"""

from collections.abc import Iterable, Sequence

from csc_tasks.metrics.facts import Fact, find_facts, has_rules, kept, unsupported
from csc_tasks.question import Question


def summary_facts(questions: Iterable[Question]) -> dict[str, int]:
    """Different facts of each history and how many its summary holds; facts of each summary and how
    many no turn of the history holds.
    """
    told = held = written = invented = 0
    for question in questions:
        if not has_rules(question.language):
            continue
        language, turns = question.language, [turn.text for turn in question.conversation_history]
        of_history = _different(fact for text in turns for fact in find_facts(text, language))
        of_summary = _different(find_facts(question.history_summary, language))
        told += len(of_history)
        held += len(of_history) - len(unsupported(of_history, [question.history_summary], language))
        written += len(of_summary)
        invented += len(unsupported(of_summary, turns, language))
    return {
        "in histories": told,
        "in histories and their summaries": held,
        "in summaries": written,
        "in summaries but in no turn": invented,
    }


def answer_facts(questions: Iterable[Question]) -> dict[str, int]:
    """Different facts of each answer, how many of them the refined answer keeps, and how many it
    has that the answer has not.
    """
    facts = [
        kept(question.agent_answer, question.refined_agent_answer, question.language)
        for question in questions
        if has_rules(question.language)
    ]
    return {
        "in answers": sum(one.facts for one in facts),
        "in answers and refined answers": sum(one.kept for one in facts),
        "in refined answers alone": sum(len(one.added) for one in facts),
    }


def _different(facts: Iterable[Fact]) -> Sequence[Fact]:
    return list({(fact.kind, fact.value): fact for fact in facts}.values())
