"""Runs that ask several times (csc_repeats), with replies planted for every repeat."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from csc_tasks import corpora
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.prompts import TurnPrompt
from tests.support.handed_in import hand_in

SAMPLING = "do_sample=True,temperature=0.7"
RIGHT = {"a": ("1110", "1010", "1000"), "b": ("01", "11", "01")}
"""Conversation -> for each of three repeats, which of its turns have the gold strategy."""


def two_conversations() -> list[Conversation]:
    """`a` with four scored turns, `b` with two; no two turns have the same prompt."""
    made = []
    for name, strategies in (("a", ("GT", "PR", "ID", "AC")), ("b", ("GT", "PS"))):
        turns = []
        for number, strategy in enumerate(strategies):
            turns += [
                Turn("customer", f"question {number} of {name}"),
                Turn("supporter", f"answer {number} of {name}", strategy),
            ]
        made.append(Conversation(name, "en", "Others", "test", tuple(turns)))
    return made


def planted(corpus: Path, right: dict[str, tuple[str, ...]] = RIGHT) -> Callable[[str], str]:
    """A model that replies in reference context as planted: the k-th time that a prompt comes is
    repeat k.
    """
    prompts = {}
    for item in corpora.load(str(corpus), "csconv", "test").items:
        for position, turn in enumerate(item.scored_turns()):
            prompt = TurnPrompt(item, turn, "single")
            prompts[prompt.plain(prompt.messages())] = (item.conversation_id, position, prompt)
    asked: Counter[str] = Counter()

    def reply(text: str) -> str:
        id_, position, prompt = prompts[text]
        repeat = asked[text]
        asked[text] += 1
        if right[id_][repeat][position] == "1":
            return prompt.target()
        return f"[Others] wrong in repeat {repeat}"

    return reply


def repeated_run(
    root: Path,
    corpus: Path,
    reply: Callable[[str], str],
    repeats: int = 3,
    task: str = "csc_conv_ref",
    **options,
) -> Path:
    """A run that asks several times; returns its results file."""
    metadata = {"csc_corpus": str(corpus), "csc_repeats": repeats}
    return hand_in(root, [task], reply, metadata, **{"gen_kwargs": SAMPLING, **options})
