"""What judges found in replies, as columns of results, rates and counts."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from csc_tasks.runs.names import FACTS as PARTS
from csc_tasks.runs.names import judge_prefix, rating_column
from leaderboard.judging.coefficients import kappa, kappa_sums
from leaderboard.judging.fact_asking import Verdict
from leaderboard.judging.intervals import coefficient, mean
from leaderboard.judging.ratings import FAILED_TURN
from leaderboard.judging.units import Judged
from leaderboard.numbers.intervals import SHARE


@dataclass(frozen=True, slots=True)
class FactRating:
    """What one judge, and the rule, found in one model's reply.

    asked: the judge as backend:model. facts: the judge's, None where nothing usable came (`problem`
    says why); rule: the rule's, repeated ones too. attempts: answers it took, malformed ones
    included; 0 where nobody was asked, because the reply is empty or the model's turn failed.
    """

    rater: str
    asked: str
    model: str
    task: str
    unit: str
    conversation_id: str
    language: str
    topic: str
    stage: str
    facts: tuple[Verdict, ...] | None
    rule: tuple[Verdict, ...]
    problem: str = ""
    attempts: int = 1

    @property
    def failed(self) -> bool:
        """Whether nobody was asked, because the model's turn failed."""
        return self.problem == FAILED_TURN

    @property
    def verdicts(self) -> tuple[int, int] | None:
        """Whether the judge, and whether the rule, found an unsupported fact (1) or none (0); None
        where the judge said nothing.
        """
        return None if self.facts is None else (_unsupported(self.facts), _unsupported(self.rule))


def columns(
    models: Sequence[Judged], judges: Mapping[str, str], ratings: Sequence[FactRating]
) -> dict[tuple[str, str], dict]:
    """(model, task) -> result name -> unit -> value, of all judges; a column in which all would be
    missing is left out.
    """
    values: dict[tuple[str, str], dict[str, dict[str, float]]] = {
        (judged.model, judged.task): {} for judged in models
    }
    for rating in ratings:
        own, verdicts = values[rating.model, rating.task], rating.verdicts
        usable, absent = (fact_column(rating.rater, part) for part in PARTS)
        if verdicts is not None:
            own.setdefault(usable, {})[rating.unit] = float(verdicts[0])
        own.setdefault(absent, {})[rating.unit] = float(verdicts is None)
    return values


def fact_column(judge: str, part: str) -> str:
    """The column of results of one judge: whether facts are unsupported, or missing."""
    return rating_column(judge_prefix(judge), part)


def rates(ratings: Sequence[FactRating]) -> list[dict]:
    """A row per task, model and judge: the share of replies with an unsupported fact by the judge
    and by the rule on the same replies.

    judge, rule, agreement: clustered means of 0 and 1; kappa: Fleiss' for the two, jackknifed.
    replies: those the judge's verdict is there for, the empty ones included;
    failed_turns: those nobody was asked about because the turn failed; missing: the others.
    """
    rows: dict[tuple[str, str, str], list[FactRating]] = defaultdict(list)
    for rating in ratings:
        rows[rating.task, rating.model, rating.rater].append(rating)
    table_rows = []
    for (task, model, judge), own in rows.items():
        there = [
            (rating.verdicts, rating.conversation_id)
            for rating in own
            if rating.verdicts is not None
        ]
        failed = sum(rating.failed for rating in own)
        pairs, clusters = [pair for pair, _ in there], [conversation for _, conversation in there]
        values = {
            name: mean([pair[place] for pair in pairs], clusters, SHARE)
            for place, name in enumerate(("by_judge", "by_rule"))
        }
        values["agreement"] = mean(
            [float(by_judge == by_rule) for by_judge, by_rule in pairs], clusters, SHARE
        )
        values["kappa"] = coefficient(kappa_sums(pairs, 2), clusters, lambda sums: kappa(sums, 2))
        table_rows.append(
            {
                "task": task,
                "model": model,
                "judge": judge,
                **values,
                "replies": len(there),
                "missing": len(own) - len(there) - failed,
                "failed_turns": failed,
            }
        )
    return table_rows


def counted(ratings: Sequence[FactRating]) -> dict:
    """What became of one judge's questions, and how many facts it found."""
    facts = [fact for rating in ratings for fact in rating.facts or ()]
    return {
        "replies": len(ratings),
        "empty": sum(not rating.attempts and not rating.failed for rating in ratings),
        "failed_turns": sum(rating.failed for rating in ratings),
        "asked_again": sum(rating.attempts > 1 for rating in ratings),
        "missing": sum(rating.facts is None and not rating.failed for rating in ratings),
        "facts": len(facts),
        "unsupported": sum(not fact.supported for fact in facts),
        "problems": dict(
            sorted(
                Counter(
                    rating.problem.partition("; ")[0]
                    for rating in ratings
                    if rating.problem and not rating.failed
                ).items()
            )
        ),
    }


def _unsupported(facts: Sequence[Verdict]) -> int:
    return int(any(not fact.supported for fact in facts))
