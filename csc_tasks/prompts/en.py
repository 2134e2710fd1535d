"""English wording of every prompt. Wording only: `render.py` puts it together, and `zh.py` holds the same names.

A changed word is a changed task: the version in `_csc_yaml` and the task card's log move with it.
"""

TASK = (
    "You are a professional customer supporter talking with a customer. Read the conversation so far, choose the one strategy below that "
    "fits best, and write the supporter's next reply with it."
)
TASK_WITHOUT_STRATEGY = (
    "You are a professional customer supporter talking with a customer. Read the conversation so far and write the supporter's next reply."
)
TASK_GIVEN_STRATEGY = (
    "You are a professional customer supporter talking with a customer. Read the conversation so far and write the supporter's next reply "
    "with the strategy you are given."
)
STRATEGIES = "Strategies:"
STRATEGY = "{number}. {name}: {definition}"
FORMAT = (
    "Reply format: [Strategy name] reply\n"
    "Write exactly one strategy name in the brackets, as it stands in the list, and only this one reply."
)
FORMAT_WITHOUT_STRATEGY = "Write only this one reply."
HISTORY = "Conversation so far:"
CUSTOMER = "Customer: "
SUPPORTER = "Supporter: "
TAIL = "Supporter's next reply:"
TAIL_GIVEN_STRATEGY = "Supporter (strategy: {name}):"
GIVEN_STRATEGY = "(Use the strategy: {name})"
TAGGED = "[{name}] {text}"
OPENING = "(The customer has joined.)"
EARLIER = "(Earlier turns are left out.)"
CONTINUE = "(The customer says nothing; the supporter goes on.)"
NO_REPLY = "(no reply)"

QA_INSTRUCTION = (
    "You are a professional customer support agent. Answer the customer's question from the conversation so far, correctly, clearly and "
    "politely."
)
QA_SUMMARY = "Summary of the conversation so far:"
QA_HISTORY = "Conversation so far:"
QA_NOTHING = "(none)"
QA_QUESTION = "Customer's question:"
QA_TAIL = "Agent's answer:"
