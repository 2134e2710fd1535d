"""The benchmark of what own turns re-enter as: what stands in the history of each way."""

import pytest

from benchmarks.re_entering import WAYS, played
from csc_tasks.conversation import Conversation, Turn

TURNS = (
    Turn("supporter", "Welcome.", "GT"),
    Turn("customer", "My card is lost.", ""),
    Turn("supporter", "Which one?", "PR"),
    Turn("customer", "The red one.", ""),
    Turn("supporter", "It is blocked.", "RI"),
)


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("as written", ["Well", "[Greeting] Hello"]),
        ("text alone", ["Well", "Hello"]),
        ("gold name", ["[Greeting] Well", "[Greeting] Hello"]),
        ("gold first turn", ["[Greeting] Welcome.", "Well"]),
    ],
)
def test_own_turns_stand_in_the_history_as_the_way_says(way, said):
    asked = []

    def ask(prompts, begin):
        asked.extend(prompts)
        return [["Well", "[Greeting] Hello", "[Nothing] so"][len(asked) - 1]]

    stands, recorded = WAYS[way]
    conversation = Conversation("a", "en", "Others", "test", TURNS)
    (replies,) = played([conversation], ask, stands, recorded)
    assert replies == ["Well", "[Greeting] Hello", "[Nothing] so"][: 3 - recorded]
    history = [message["content"] for message in asked[-1] if message["role"] == "assistant"]
    assert history == said
    # Nothing of the model's stands before its own first turn.
    first = [message["content"] for message in asked[0] if message["role"] == "assistant"]
    assert first == said[:recorded]


def test_conversations_of_unlike_length_are_played_to_their_ends():
    short = Conversation("b", "en", "Others", "test", TURNS[:3])
    long = Conversation("a", "en", "Others", "test", TURNS)
    sizes = []

    def ask(prompts, begin):
        sizes.append(len(prompts))
        return [f"{len(sizes)}" for _ in prompts]

    stands, recorded = WAYS["as written"]
    assert played([long, short], ask, stands, recorded) == [["1", "2", "3"], ["1", "2"]]
    assert sizes == [2, 2, 1]
