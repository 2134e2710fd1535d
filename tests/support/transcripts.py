"""Conversations as support tools export them, made of conversations that are known."""

import csv
import html
import json
from pathlib import Path

from builders.sources.raw import RawConversation
from csc_tasks.conversation import SUPPORTER


def moment(position: int) -> str:
    """When the turn at a position was said."""
    return f"2024-03-05T10:{position // 60:02}:{position % 60:02}Z"


def write_csv(path: Path, conversations: list[RawConversation]) -> Path:
    """A row an utterance, the conversations interleaved."""
    rows = [
        [f"T{number}", moment(i), "Agent" if turn.speaker == SUPPORTER else "End-user", turn.text]
        for number, one in enumerate(conversations)
        for i, turn in enumerate(one.turns)
    ]
    rows.sort(key=lambda row: (row[1], row[0]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Ticket ID", "Sent At", "Author Type", "Message"])
        writer.writerows(rows)
    return path


def write_messages(path: Path, conversations: list[RawConversation]) -> Path:
    """OpenAI's chat messages, each conversation after a system message."""
    with path.open("w", encoding="utf-8") as file:
        for one in conversations:
            messages = [{"role": "system", "content": "You are a helpful agent."}]
            for turn in one.turns:
                role = "assistant" if turn.speaker == SUPPORTER else "user"
                messages.append({"role": role, "content": turn.text})
            file.write(json.dumps({"messages": messages}) + "\n")
    return path


def write_tickets(path: Path, conversations: list[RawConversation]) -> Path:
    """Tickets as Zendesk exports them: HTML bodies, ids of authors, a private note in each."""
    tickets = []
    for number, one in enumerate(conversations):
        comments = [
            {
                "author_id": 7 if turn.speaker == SUPPORTER else 1000 + number,
                "public": True,
                "created_at": moment(i),
                "html_body": f'<div class="zd-comment"><p>{html.escape(turn.text)}</p></div>',
            }
            for i, turn in enumerate(one.turns)
        ]
        note = {
            "author_id": 7,
            "public": False,
            "created_at": moment(1),
            "html_body": "<p>Note</p>",
        }
        tickets.append(
            {
                "id": number,
                "requester_id": 1000 + number,
                "description": one.turns[0].text,
                "comments": [*comments, note],
            }
        )
    text = json.dumps({"tickets": tickets, "users": [{"id": 7, "role": "agent"}], "count": 1})
    path.write_text(text, encoding="utf-8")
    return path
