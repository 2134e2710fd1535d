"""The stand-in for a model that makes briefs: it follows the rules of csc_tasks/live/briefs.py on
what it is shown.
"""

import json

from builders.scripted.reading import read_back
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn
from csc_tasks.languages import language
from csc_tasks.live.briefs import brief_by_rule
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.exchange import Request

BRIEF = ("facts", "aim", "manner", "mood", "unknown")


def play_brief(request: Request) -> str:
    """The brief of the customer's turns in the prompt."""
    code, _, values = read_back(request.messages, "brief")
    own = language(code)
    start = f"{own.speakers.customer}{own.text.colon}"
    turns = [
        Turn(CUSTOMER, line.removeprefix(start))
        if line.startswith(start)
        else Turn(SUPPORTER, line)
        for line in values["turns"].splitlines()
    ]
    brief = brief_by_rule(Conversation("shown", code, "", "", tuple(turns))).to_json()
    return json.dumps({name: brief[name] for name in BRIEF}, ensure_ascii=False)


register_scripted("brief", play_brief)
