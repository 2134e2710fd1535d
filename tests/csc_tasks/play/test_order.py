"""In which order and how many at once backends are asked, and how documents are shared among
ranks.
"""

import asyncio
import itertools
import json
from dataclasses import replace

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR, corpora
from csc_tasks.conversation import content_id
from csc_tasks.play import length, share
from csc_tasks.play.server import Server
from tests.support import virtual_time
from tests.support.fakes import FakeLM, gold_replies, sample_conversations, write_corpus


def many(count):
    """`count` different English conversations of three or five scored turns. The customer opens
    them, so no two prompts are alike.
    """
    kinds = sample_conversations(("en",))[::2]
    return [
        replace(
            conversation,
            conversation_id=content_id("many", number),
            dialogue=(
                replace(
                    conversation.dialogue[0],
                    text=f"Case {number:02}: {conversation.dialogue[0].text}",
                ),
                *conversation.dialogue[1:],
            ),
        )
        for number, conversation in zip(range(count), itertools.cycle(kinds), strict=False)
    ]


def run(model, corpus, task, metadata=None, **options):
    manager = TaskManager(
        include_path=str(TASKS_DIR),
        include_defaults=False,
        metadata={"csc_corpus": str(corpus)} | (metadata or {}),
    )
    return simple_evaluate(model, tasks=[task], task_manager=manager, bootstrap_iters=0, **options)


@pytest.mark.parametrize("task", ["csc_conv_ref", "csc_conv_gen"])
def test_backends_are_given_windows_of_conversations(tmp_path, task):
    corpus = write_corpus(tmp_path, conversations=many(7))
    gold = gold_replies(corpus)
    calls = []

    class Watching(FakeLM):
        def generate_until(self, requests):
            calls.append([request.doc["conversation_id"] for request in requests])
            return super().generate_until(requests)

    model = Watching(gold.__getitem__)
    results = run(model, corpus, task, {"csc_window": 3})
    assert (
        sorted(model.asked) == sorted(gold) and results["results"][task]["strategy_acc,none"] == 1
    )
    order = [
        conversation.conversation_id
        for conversation in corpora.load(str(corpus), "csconv", "test").items
    ]
    windows = [order[:3], order[3:6], order[6:]]
    if task == "csc_conv_ref":
        # One call a window, conversation by conversation.
        assert [list(dict.fromkeys(call)) for call in calls] == windows
        assert all(call == sorted(call, key=order.index) for call in calls)
    else:
        # A call for each round of a window; no conversation of the next window before the last
        # round of this one.
        asked = [
            next(i for i, window in enumerate(windows) if set(call) <= set(window))
            for call in calls
        ]
        assert asked == sorted(asked) and set(asked) == {0, 1, 2}
        assert all(len(call) == len(set(call)) for call in calls)


class Slots:
    """A server in virtual time, in place of the connection: replies take 1 to 7 seconds, so that a
    client who waits for the slowest of a round leaves slots empty.

    `possible` are the seconds for which there were conversations enough for all slots, times the
    slots; `busy` those of them in which a slot was at work.
    """

    def __init__(self, slots, turns):
        self.slots = slots
        self.left = dict(turns)
        self.working = 0
        self.asked = []
        self.since = 0.0
        self.busy = self.possible = 0.0

    async def once(self, server, payload, read, watch=None):
        prompt = payload["messages"][0]["content"]
        conversation = next(opening for opening in self.left if opening in prompt)
        self.asked.append(prompt)
        number = len(self.asked)
        self.count(1)
        await asyncio.sleep(1 + number % 7)
        self.count(-1)
        self.left[conversation] -= 1
        message = {"role": "assistant", "content": f"[Greeting] own {number}"}
        return read({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    def count(self, change):
        now = asyncio.get_running_loop().time()
        if sum(turns > 0 for turns in self.left.values()) >= self.slots:
            self.busy += (now - self.since) * self.working
            self.possible += (now - self.since) * self.slots
        self.since = now
        self.working += change


@pytest.mark.parametrize(("task", "count"), [("csc_conv_gen", 64), ("csc_conv_ref", 32)])
def test_an_api_is_kept_busy_without_waiting_for_the_slowest(tmp_path, monkeypatch, task, count):
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    corpus = write_corpus(tmp_path, conversations=many(count))
    slots = Slots(16, {c.dialogue[0].text: len(c.scored_turns()) for c in many(count)})
    monkeypatch.setattr(asyncio, "run", virtual_time.run)
    monkeypatch.setattr(Server, "_once", lambda server, *args: slots.once(server, *args))
    backend = "model=stub,base_url=http://127.0.0.1:9/v1/chat/completions,num_concurrent=16"
    results = run(
        "local-chat-completions", corpus, task, model_args=backend, apply_chat_template=True
    )
    turns = results["results"][task]["turns,none"]
    assert len(slots.asked) == len(set(slots.asked)) == turns
    # Not a second of a slot is lost, and the seconds that count are more than half of all: a reply
    # takes four on average.
    assert slots.busy == slots.possible > 4 * turns / 2
    # A conversation's turns follow each other: few more conversations are under way at a time than
    # there are slots.
    spans = {}
    for sample in results["samples"][task]:
        places = [slots.asked.index(argument_text(arguments)) for arguments in sample["arguments"]]
        assert places == sorted(places)
        spans[sample["doc"]["conversation_id"]] = (places[0], places[-1])
    for place in range(turns):
        assert sum(first <= place <= last for first, last in spans.values()) <= 16 + 16 // 4


def argument_text(arguments):
    prompt = arguments[0][0] if isinstance(arguments[0], (list, tuple)) else arguments[0]
    return json.loads(prompt)[0]["content"]


def test_ranks_get_documents_of_equal_length():
    lengths = [100, 90, 30, 30, 20, 10, 10, 10]
    shares = share(lengths, 3)
    assert sorted(position for taken in shares for position in taken) == list(range(len(lengths)))
    assert [sum(lengths[position] for position in taken) for taken in shares] == [100, 100, 100]
    assert share(lengths, 1) == [list(range(8))]
    # Every rank has something to do where there are documents enough: lm_eval stops at a rank
    # without any.
    assert all(share([5] * 4, 4))


def test_two_ranks_share_the_documents(tmp_path):
    corpus = write_corpus(tmp_path, conversations=many(15))
    manager = TaskManager(
        include_path=str(TASKS_DIR), include_defaults=False, metadata={"csc_corpus": str(corpus)}
    )
    task = manager.load(["csc_conv_gen"])["tasks"]["csc_conv_gen"]
    whole = list(task.doc_iterator(rank=0, world_size=1))
    parts = [list(task.doc_iterator(rank=rank, world_size=2, limit=None)) for rank in (0, 1)]
    assert (
        sorted([i for part in parts for i, _ in part]) == [i for i, _ in whole] == list(range(15))
    )
    assert all(doc == whole[i][1] for part in parts for i, doc in part)
    lengths = [
        sum(length(task.requests_of(task.items[doc["conversation_id"]])) for _, doc in part)
        for part in parts
    ]
    assert max(lengths) - min(lengths) <= max(
        length(task.requests_of(item)) for item in task.items.values()
    )
    assert [i for i, _ in task.doc_iterator(rank=0, world_size=1, limit=4)] == [0, 1, 2, 3]
