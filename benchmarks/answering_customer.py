"""A customer without weights, for the server of live_supporters.py: it hears what the supporter
says, and answers what a recorded customer answered to the words most like it (TF-IDF), in another
conversation. It ends satisfied where that customer had no more to say.

It is asked as any model that plays a customer (csc_tasks/live/customers/model.py), and needs of its
brief only what it wants, which is its first turn.
"""

import json
import re
from collections.abc import Sequence

from csc_tasks.conversation import CUSTOMER, Conversation
from csc_tasks.languages import languages

AIM = re.compile(r"^What you want: (.+)$", re.MULTILINE)


class AnsweringCustomer:
    """What recorded customers of these conversations answered."""

    def __init__(self, recorded: Sequence[Conversation]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.answers: list[tuple[str, bool]] = []
        heard: list[str] = []
        for conversation in recorded:
            turns = conversation.dialogue
            last = max(i for i, turn in enumerate(turns) if turn.speaker == CUSTOMER)
            for i, turn in enumerate(turns):
                if turn.speaker == CUSTOMER and i and turns[i - 1].speaker != CUSTOMER:
                    self.answers.append((turn.text, i == last))
                    heard.append(turns[i - 1].text)
        self.vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)).fit(heard)
        self.heard = self.vectors.transform(heard)
        self.supporters = tuple(one.speakers.supporter for one in languages().values())

    def answer(self, body: dict) -> tuple[str, str]:
        """The reply to a chat request, and why it ends."""
        system, *_, asked = (message["content"] for message in body["messages"])
        said = [line for line in asked.splitlines() if line.startswith(self.supporters)]
        if not said:
            aim = AIM.search(system)
            text, last = (aim[1] if aim else "Hello"), False
        else:
            likeness = self.vectors.transform([said[-1]]) @ self.heard.T
            text, last = self.answers[int(likeness.toarray()[0].argmax())]
        ending = "satisfied" if last else "goes_on"
        return json.dumps({"say": text, "ending": ending, "goal_reached": last}), "stop"
