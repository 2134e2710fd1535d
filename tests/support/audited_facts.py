"""Replies whose facts are known, evidence for some of them, and `csc judge facts` over them."""

import json

from csc_tasks.cli import main
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.question import Question
from leaderboard.judging.fact_asking import audited
from leaderboard.judging.units import read_models
from tests.support.llm_server import Act
from tests.support.quoted import unquote

PAID = "I paid $40 for order A1234567."
DIALOGUE = (
    Turn("customer", PAID),
    Turn("supporter", "The limit is 12 days."),
    Turn("customer", "Why 3 charges?"),
    Turn("supporter", "You paid $40, and the fee was $7.", "RP"),
    Turn("customer", "And the rest?"),
    Turn("supporter", "It comes.", "RI"),
)
SAID = {3: "You paid $40, the fee was $25.", 5: "Of $40 we return $7, $25 and $99 within 12 days."}
ITEMS = [Conversation(f"c{i}", "en", "Others", "test", DIALOGUE) for i in range(2)]
QUESTIONS = [
    Question(
        f"q{i}",
        i,
        3,
        "mid",
        "en",
        "Others",
        "test",
        "Be kind; call 555-0134.",
        (Turn("customer", PAID), Turn("supporter", "It was $7.")),
        "Paid $40, ref 812.",
        "Where are my $40?",
        "Here.",
        "Here now.",
    )
    for i in range(2)
]
ANSWER = "Your $40 come with $7 and $25; call 555-0134."
EVIDENCE = [
    {"conversation_id": "c0", "passages": ["Refunds take 9 days."]},
    {"conversation_id": "c0", "turn": 5, "passages": ["Up to $99."]},
    {"conversation_id": "c0", "turn": 3, "passages": ["Fees are $25."]},
    {"conversation_id": "q1", "turn": 1, "passages": ["$25 extra."]},
]


def replies(root, evidence=None):
    """(task, conversation, turn) -> what is asked of the made model."""
    found = {}
    for judged in read_models([root], whole=False):
        for item in audited(judged, evidence or {}).values():
            found[judged.task, item.unit.conversation_id, item.unit.turn] = item
    return found


def strings(data):
    """All texts in JSON, whatever their names."""
    if isinstance(data, str):
        return [data]
    return [
        text
        for part in (data.values() if isinstance(data, dict) else data)
        for text in strings(part)
    ]


def lines_of(out, name="facts.jsonl"):
    return [json.loads(line) for line in (out / name).read_text(encoding="utf-8").splitlines()]


def facts(results, out, *more):
    return main(["judge", "facts", str(results), "--out", str(out), *more])


def amount(text, supported):
    return {"text": text, "kind": "amount", "reason": f"So {text}.", "supported": supported}


# Reply of the model -> what the judge answers; the rule finds $99, $66, $7 and $55 unsupported.
ANSWERS = {
    "We return $40.": [amount("$40", True)],
    "We return $99.": [amount("$99", False)],
    "The $40 were a fee.": [amount("$40", False)],
    "We return $7.": [amount("$7", True)],
    "Thank you.": [],
    "": None,
    "We return $55.": [amount("$56", False)],
    "We return $66 of $40.": [amount("$66", False), amount("$40", True)],
}
PAIRS = [(0, 0), (1, 1), (1, 0), (0, 1), (0, 0), (0, 0), None, (1, 1)]


def by_answers(body, number):
    _, data = unquote(body["messages"][1]["content"])
    return Act(json.dumps({"facts": ANSWERS[data["reply"]]}))
