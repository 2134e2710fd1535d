"""Trajectories that tau2-bench and tau-bench publish (`--format tau2`): what customer and agent
said to each other in a simulation.

tau2-bench: {"simulations": [{"id", "task_id", "messages": [...]}], "tasks": [...], "info": {...}},
or a folder with one file a simulation. tau-bench: [{"task_id", "reward", "traj": [...]}]. A message
has `role` (user, assistant, tool, system), `content` and `tool_calls`. One that calls a tool goes
to the tool and not to the other side: its text was read by nobody, and is left out as its call is.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from builders.transcripts.files import Record
from builders.transcripts.said import SPOILED, Said

TAU2 = "tau2"
KIND = "simulations of tau2-bench or tau-bench"
NOTE = "customers are played by a language model here; nobody recorded people"
_MARKS = ("###STOP###", "###TRANSFER###", "###OUT-OF-SCOPE###")
MARKED = "a mark that ends a simulation"
_TOOL_SAYS = "API output: "
"""How a text loop (ReAct, tau-bench) puts what a tool answers into the customer's mouth."""


def simulations(records: Iterator[Record]) -> Iterator[Record]:
    """The records that are simulations; tasks and what else such a file holds are passed over."""
    for record in records:
        if record.problem or ("task_id" in record.row and not _is_index(record.row)):
            yield record


def _is_index(row: Mapping[str, Any]) -> bool:
    """Whether it is the summary of a simulation that has a file of its own."""
    return not row.keys() & {"messages", "traj", "ticks"}


def said_in(record: Record, cut: Counter[str]) -> Iterator[Said]:
    """The utterances of a simulation; `cut` counts the marks that were taken out of texts. None
    where it has no messages (a voice run keeps ticks).
    """
    messages = record.row.get("messages", record.row.get("traj"))
    for message in messages if isinstance(messages, list) else ():
        yield _said(message, record.place, cut)


def _said(message: object, place: str, cut: Counter[str]) -> Said:
    if not isinstance(message, dict):
        return Said(place, None, "", repr(message)[:80], SPOILED)
    role, text = str(message.get("role") or ""), message.get("content")
    if message.get("is_audio"):
        text = message.get("audio_script_gold")
    if message.get("tool_calls"):
        beside = isinstance(text, str) and bool(text.strip())
        left_out = "text beside a call of a tool" if beside else "a call of a tool"
        return Said(place, None, role, text if isinstance(text, str) else "", left_out)
    if role == "tool":
        return Said(place, None, role, "", "the answer of a tool")
    if text is None:
        return Said(place, None, role, "", "no text")
    if not isinstance(text, str) or (role == "user" and text.startswith(_TOOL_SAYS)):
        return Said(place, None, role, repr(text)[:80], SPOILED)
    unmarked = text
    for mark in _MARKS:
        unmarked = unmarked.replace(mark, "")
    if unmarked != text:
        cut[MARKED] += 1
        if not unmarked.strip():
            return Said(place, None, role, "", f"nothing but {MARKED}")
    return Said(place, None, role, unmarked)
