"""Three scripted raters of the demo corpus, who disagree by a plan, so that every number against
their labels can be checked by hand.

Counting the labelled supporter turns of a conversation from 1, and calling the strategy that stands
behind the gold one in the framework "next" (the first follows the last):

  every 5th + 2   the second rater names gold and next, in this order
  every 5th + 3   the third rater names next alone
  every 5th + 4   the second rater names next and gold, in this order
  every 5th       the raters name gold, next and the one behind that: a tie, which the framework's
                  order gives to gold (where gold has two strategies behind it; else all name gold)
  else            all three name gold alone

So most raters name gold first at every turn, and `strategy` stays what it is.
"""

from csc_tasks.framework import BY_ID, STRATEGIES

RATERS = ("ann", "ben", "model:scripted")
"""Two who stand for people, and one for a model."""


def with_labels(row: dict) -> dict:
    """A conversation's row with the three raters' labels of its labelled supporter turns."""
    count, turns = 0, []
    for turn in row["dialogue"]:
        if turn["strategy"]:
            count += 1
            turn = turn | {"labels": labels(turn["strategy"], count)}
        turns.append(turn)
    return {**row, "dialogue": turns}


def labels(gold: str, count: int) -> list[dict]:
    """What the raters say of the `count`-th labelled turn, whose strategy is `gold`."""
    next_, behind = _after(gold, 1), _after(gold, 2)
    named = {
        2: ([gold], [gold, next_], [gold]),
        3: ([gold], [gold], [next_]),
        4: ([gold], [next_, gold], [gold]),
    }.get(count % 5, ([gold], [gold], [gold]))
    if count % 5 == 0 and BY_ID[gold].number <= len(STRATEGIES) - 2:
        named = ([gold], [next_], [behind])
    return [
        {"rater": rater, "strategies": strategies}
        for rater, strategies in zip(RATERS, named, strict=True)
    ]


def _after(gold: str, steps: int) -> str:
    return STRATEGIES[(BY_ID[gold].number - 1 + steps) % len(STRATEGIES)].id
