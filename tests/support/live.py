"""A recorded conversation for live ones, and a model that answers by what it is asked."""

import json

from csc_tasks.conversation import Conversation, Turn

ORDER = Conversation(
    "order",
    "en",
    "Others",
    "test",
    (
        Turn("customer", "My parcel has not arrived and I am really annoyed!"),
        Turn("supporter", "I am sorry about that. What is your order number, please?", "IV"),
        Turn("customer", "It is AB-48213."),
        Turn("supporter", "Could you tell me your name?", "IV"),
        Turn("customer", "Jane Miller"),
        Turn("supporter", "Which courier was meant to bring the parcel?", "PR"),
        Turn("customer", "The blue courier, on Monday."),
        Turn("supporter", "The warehouse sends a replacement parcel tomorrow.", "RI"),
        Turn("customer", "Great, that is quick. When will it be here?"),
        Turn("supporter", "Is there anything else?", "FR"),
        Turn("customer", "No, thanks, bye."),
    ),
)
"""Six exchanges: the complaint, an order number, a name, the courier, a reaction, a farewell."""

SECOND = Conversation(
    "second",
    "en",
    "Others",
    "test",
    (
        Turn("supporter", "Hello, how can I help?", "GT"),
        Turn("customer", "I want to close my savings account."),
        Turn("supporter", "May I have your account number?", "IV"),
        Turn("customer", "I cannot remember it."),
        Turn("supporter", "Thank you, it is closed. Goodbye.", "AC"),
        Turn("customer", "Thank you, bye."),
    ),
)

SCRIPT = (
    "[Identity Verification] What is your order number?",
    "[Identity Verification] May I have your name, please?",
    "[Resolution Implementation] I have sent another one.",
    "[Appreciation and Closure] Thank you, goodbye.",
)


def by_turn(prompt):
    """The line of SCRIPT for so many turns of its own as the prompt shows; the last one for ever.

    The instructions hold no line that begins with the supporter's name but the tail.
    """
    spoken = sum(line.startswith("Supporter: ") for line in prompt.splitlines())
    return SCRIPT[min(spoken, len(SCRIPT) - 1)]


def live_of(results, task="cscx_conv_live"):
    """The records of a run's samples file, by conversation."""
    (file,) = results.parent.glob(f"samples_{task}_*.jsonl")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line["doc"]["conversation_id"]: line["live"] for line in lines}
