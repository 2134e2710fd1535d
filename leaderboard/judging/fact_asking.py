"""Asking a judge for the facts of a reply: what it is shown, what it may answer, and what the rule
says of the same reply.

A judge is shown exactly the texts that the rule counts as support
(leaderboard/numbers/fact_audit.py), and besides them the reply. In generated context the model's
own earlier turns are shown too, since the reply follows them, but under another name: they support
nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from csc_tasks.errors import DataError
from csc_tasks.languages import language
from csc_tasks.metrics.facts import find_facts, unsupported
from csc_tasks.runs.samples_file import read_run
from leaderboard.judging.asking import SAMPLING
from leaderboard.judging.dimensions import prompts
from leaderboard.judging.quoting import quote
from leaderboard.judging.units import Judged, Unit

if TYPE_CHECKING:
    from csc_tasks.evidence import Passages
    from csc_tasks.llm.outcomes import Answer
    from leaderboard.numbers.fact_audit import Support

TEMPLATE = "judge_facts"
# 2: a reason before each verdict.
PROMPT_VERSION = 2
# A long answer holds some hundred facts, each in some dozens of tokens.
CLAIMS_TOKENS = 8192
# Whose the turns are that a model said before, in generated context.
OWN = "model"
_NAMES = {"instruction": "instruction", "history_summary": "summary", "client_question": "question"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One fact: the words it stands in, its kind (csc_tasks.metrics.facts.KINDS), and whether what
    the model was given supports it; a judge's reason, "" for the rule.
    """

    text: str
    kind: str
    supported: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Audited:
    """One reply to audit: the outline of its unit, the reply as logged, what a judge is shown, and
    the rule's verdicts.
    """

    unit: Unit
    reply: str
    data: dict
    rule: tuple[Verdict, ...]

    @property
    def askable(self) -> bool:
        """Whether there is something to ask about: neither an empty reply nor a failed turn."""
        return not self.unit.failed and bool(self.reply.strip())


def audited(judged: Judged, evidence: "Passages") -> dict[str, Audited]:
    """Unit id -> the reply, for the units of a model in one task; raises DataError for a line whose
    parts do not fit together.
    """
    from leaderboard.numbers.fact_audit import Support, passages_of

    places = {(unit.conversation_id, unit.turn): unit for unit in judged.units.values()}
    logged = read_run(judged.file).one_repeat()
    replies = {}
    for number, line in enumerate(logged.lines, 1):
        try:
            records = line[logged.unit]
            pairs = [(places.get((r["conversation_id"], r["turn"])), r) for r in records]
            wanted = [(unit, record) for unit, record in pairs if unit]
            if not wanted:
                continue
            generated = judged.generated
            support = Support(line["doc"], generated, evidence, passages_of(records))
            own = {record["turn"]: _own_turn(record) for record in records} if generated else {}
            for unit, record in wanted:
                verdicts = by_rule(record["reply"], support.before(unit.turn), unit.language)
                replies[unit.id] = Audited(
                    unit, record["reply"], shown(support, unit.turn, own, record["reply"]), verdicts
                )
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{logged.file} line {number}: cannot be read as {logged.unit}"
                f" ({type(error).__name__}: {error})"
            ) from None
    return {id_: replies[id_] for id_ in judged.units}


def shown(support: "Support", turn: int, own: Mapping[int, str], reply: str) -> dict:
    """The data of a prompt: everything that supports a reply at this position, the model's `own`
    turns before it, and the reply.
    """
    turns = [
        (position, speaker, text) for position, speaker, text in support.spoken if position < turn
    ]
    turns += [(position, OWN, text) for position, text in own.items() if position < turn]
    conversation = [*support.history, *((speaker, text) for _, speaker, text in sorted(turns))]
    data: dict = {name: support.told[key] for key, name in _NAMES.items() if key in support.told}
    data["conversation"] = [{speaker: text} for speaker, text in conversation]
    if passages := support.passages(turn):
        data["passages"] = passages
    return data | {"reply": reply}


def supporting(data: Mapping) -> list[str]:
    """The texts in a prompt's data that may support a fact: all but the reply and the model's own
    turns.
    """
    texts = [
        text for turn in data["conversation"] for speaker, text in turn.items() if speaker != OWN
    ]
    return [
        *(data[name] for name in _NAMES.values() if name in data),
        *texts,
        *data.get("passages", ()),
    ]


def by_rule(reply: str, support: Sequence[str], language: str) -> tuple[Verdict, ...]:
    """The rule's verdict on every fact that it finds in a reply, in reading order."""
    facts = find_facts(reply, language)
    without = {(fact.kind, fact.value) for fact in unsupported(facts, support, language)}
    return tuple(
        Verdict(fact.text, fact.kind, (fact.kind, fact.value) not in without) for fact in facts
    )


def facts_prompt(item: Audited) -> list[dict]:
    """Chat messages that ask for the facts of one reply."""
    block, code = quote(item.data)
    return prompts(item.unit.language).messages(TEMPLATE, data=block, fence=code)


async def ask_facts(llm, judge: str, item: Audited) -> tuple[tuple[Verdict, ...], "Answer"]:
    """A judge's verdicts on one reply, and the Answer they came in. Raises what `LLM.ask`
    raises.
    """
    from leaderboard.judging.verdict_forms import ClaimsOf

    # As in rating, the unit's id says nothing of the model.
    answer = await llm.ask(
        stage=judge,
        messages=facts_prompt(item),
        item_id=item.unit.id,
        reply=ClaimsOf(item.reply),
        sampling=SAMPLING,
        tokens=CLAIMS_TOKENS,
        language=item.unit.language,
    )
    return (
        tuple(
            Verdict(claim.text, claim.kind, claim.supported, claim.reason)
            for claim in answer.parsed.facts
        ),
        answer,
    )


def _own_turn(record: Mapping) -> str:
    return (
        record["reply"] if record["reply"].strip() else language(record["language"]).words.NO_REPLY
    )
