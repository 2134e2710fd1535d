"""Two supporters without weights, behind an OpenAI-compatible server: something for played
customers to talk to, offline.

`nearest` says what a recorded supporter said to the words most like the customer's last ones
(TF-IDF of the last customer turn and, with less weight, of the turn before it); `random` says
anything that a recorded supporter said. Both name the strategy that the recording is labelled with.
A customer who is a model of the same server is in answering_customer.py.
"""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.answering_customer import AnsweringCustomer
from csc_tasks.conversation import CUSTOMER, Conversation
from csc_tasks.languages.labels import strategy_name
from tests.support.servers import chat_server

NEAREST, RANDOM = "nearest", "random"
ANSWERING = "stand-in/answering"
"""The customer's name for requests."""
EARLIER = 0.3
"""Weight of the supporter's own last words."""


class Supporters:
    """What recorded supporters of these conversations answer."""

    def __init__(self, recorded: Sequence[Conversation]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.replies: list[str] = []
        heard: list[str] = []
        own: list[str] = []
        for conversation in recorded:
            turns = conversation.dialogue
            for i, turn in enumerate(turns):
                if turn.strategy and i and turns[i - 1].speaker == CUSTOMER:
                    name = strategy_name(turn.strategy, conversation.language)
                    self.replies.append(f"[{name}] {turn.text}")
                    heard.append(turns[i - 1].text)
                    own.append(turns[i - 2].text if i > 1 else "")
        self.vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)).fit(heard + own)
        self.heard, self.own = self.vectors.transform(heard), self.vectors.transform(own)

    def answer(self, body: dict) -> tuple[str, str]:
        """The reply to a chat request, and why it ends."""
        texts = [message["content"] for message in body["messages"]]
        if body["model"].endswith(RANDOM):
            said = json.dumps(body["messages"], sort_keys=True)
            return random.Random(said).choice(self.replies), "stop"
        last, before = texts[-1], texts[-2] if len(texts) > 2 else ""
        likeness = self.vectors.transform([last]) @ self.heard.T
        likeness = likeness + EARLIER * (self.vectors.transform([before]) @ self.own.T)
        return self.replies[int(likeness.toarray()[0].argmax())], "stop"


@contextmanager
def served(recorded: Sequence[Conversation]) -> Iterator[str]:
    """The address for chat requests to all of them, while the block runs."""
    supporters, customer = Supporters(recorded), AnsweringCustomer(recorded)

    def answer(body: dict) -> tuple[str, str]:
        return (customer if body["model"] == ANSWERING else supporters).answer(body)

    with chat_server(answer) as server:
        yield server.url
