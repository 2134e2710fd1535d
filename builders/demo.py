"""Write the embedded demo corpus: support conversations and questions from the scripted stand-in, Chinese and English, offline.

    csc build demo --out DIR

The same seed gives the same bytes on every machine; the corpus inside the package is the one of the default seed. Use it to try things out
and to test: every sentence is made up by rules, so a score on it says nothing about customer service.
"""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path

from builders.scripted.notes import refined, summary
from builders.scripted.phrases import bank, draw, pick, weighted
from builders.scripted.player import Scenario, State, plan, play
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, content_id
from csc_tasks.framework import LANGUAGES
from csc_tasks.question import QA_STAGES, Question

SEED = 20250806
# Conversations per language: rolecs/train, csconv/test, and those that appear in qa/validation alone.
CONVERSATIONS = {"train": 280, "test": 30, "validation": 15}
# Questions per language, one per conversation. The stage is drawn as the questions of arXiv 2602.00665 were: mostly from the middle.
QUESTIONS = {"train": 100, "validation": 15, "test": 30}
STAGES = {"early": 0.2, "mid": 0.6, "late": 0.2}
TURNS = range(8, 25)


def add_arguments(parser) -> None:
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write {config}/{split}.jsonl into")
    parser.add_argument("--seed", type=int, default=SEED, metavar="N", help="another seed, another corpus (default: %(default)s)")


def main(args) -> None:
    rows, redrawn = build(args.seed)
    write(rows, args.out)
    for (config, split), found in rows.items():
        print(f"{config}/{split}: {len(found)} rows")
    print(f"drawn again: {', '.join(f'{count} {reason}' for reason, count in sorted(redrawn.items())) or 'none'}")


def build(seed: int) -> tuple[dict[tuple[str, str], list[dict]], Counter]:
    """The rows of every (config, split), sorted as they are written, and how many dialogues were drawn again, by reason."""
    redrawn: Counter = Counter()
    seen: set[str] = set()
    played = {split: [list(dialogues(seed, split, language, seen, redrawn)) for language in LANGUAGES] for split in CONVERSATIONS}
    rows = {
        ("rolecs", "train"): [conversation(states).to_row(roles=True) for states in chain(*played["train"])],
        ("csconv", "test"): [conversation(states).to_row() for states in chain(*played["test"])],
    }
    for split, count in QUESTIONS.items():
        rows["qa", split] = [question(states).to_row() for of_language in played[split] for states in of_language[:count]]
    for found in rows.values():
        found.sort(key=lambda row: (row["conversation_id"], row.get("turn_index", 0)))
    return rows, redrawn


def dialogues(seed: int, split: str, language: str, seen: set[str], redrawn: Counter) -> Iterator[list[State]]:
    """The states of each dialogue of one split and language, problems taken in turn from all topics; `seen` holds the texts so far.

    A dialogue that is too short, too long or has been seen is drawn again and counted in `redrawn`.
    """
    by_topic: dict[str, list[str]] = {}
    for name, problem in bank(language).problems.items():
        by_topic.setdefault(problem["topic"], []).append(name)
    names = [name for name in chain(*zip_longest(*by_topic.values())) if name]
    for number in range(CONVERSATIONS[split]):
        for attempt in range(100):
            states = list(play(plan(f"{seed}/{split}/{language}/{number}/{attempt}", language, names[number % len(names)])))
            text = "\n".join(turn.text for turn in states[-1].turns)
            if len(states) not in TURNS:
                redrawn["shorter than 8 turns" if len(states) < TURNS[0] else "longer than 24 turns"] += 1
            elif text in seen:
                redrawn["identical to another"] += 1
            else:
                break
        seen.add(text)
        yield states


def conversation(states: list[State]) -> Conversation:
    """The whole dialogue as a labelled conversation."""
    scenario, turns = states[-1].scenario, states[-1].turns
    name = content_id("demo", scenario.language, [[turn.speaker, turn.strategy, turn.text] for turn in turns])
    return Conversation(name, scenario.language, scenario.topic, "demo", turns, scenario.profile, scenario.situation, scenario.goal)


def question(states: list[State]) -> Question:
    """One customer-agent pair of the dialogue as a question, with the history before it and its summary."""
    whole, scenario = conversation(states), states[-1].scenario
    turns = whole.dialogue
    pairs = [i for i in range(1, len(turns)) if turns[i].speaker == SUPPORTER and turns[i - 1].speaker == CUSTOMER]
    rng = draw(scenario.seed, "question")
    wanted = weighted(rng, STAGES)
    # A question needs a history, and one of a word or two asks for nothing.
    shortest = {"zh": 4, "en": 14}[whole.language]
    usable = [k for k, i in enumerate(pairs) if i > 1 and len(turns[i - 1].text) >= shortest]
    index = pick(rng, [k for k in usable if stage(k, len(pairs)) == wanted] or usable)
    asked = pairs[index] - 1
    before, answer = states[asked - 1], turns[asked + 1]
    return Question(
        conversation_id=whole.conversation_id, turn_index=index, turns_total=len(pairs), stage=stage(index, len(pairs)),
        language=whole.language, topic=whole.topic, source=whole.source, instruction=instruction(scenario),
        conversation_history=turns[:asked], history_summary=summary(before), client_question=turns[asked].text,
        agent_answer=answer.text, refined_agent_answer=refined(scenario, answer.strategy, answer.text, asked + 1),
    )


def stage(index: int, total: int) -> str:
    """Early, mid or late: where the middle of pair `index` lies among `total` pairs (below 0.2, up to 0.9, from there on)."""
    return QA_STAGES[(10 * index + 5 >= 2 * total) + (10 * index + 5 >= 9 * total)]


def instruction(scenario: Scenario) -> str:
    """The system prompt of a question."""
    return pick(draw(scenario.seed, "instruction"), scenario.phrases.generic["instruction"]).format_map(scenario.slots)


def write(rows: dict[tuple[str, str], list[dict]], out: Path) -> None:
    """One `{config}/{split}.jsonl` per split under `out`: keys sorted, one row a line, the same bytes everywhere."""
    for (config, split), found in rows.items():
        path = out / config / f"{split}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n" for row in found)
        path.write_bytes("".join(lines).encode())


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
