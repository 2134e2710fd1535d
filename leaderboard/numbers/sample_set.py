"""The drawn conversations of a table with the replies of every model that has samples."""

from collections.abc import Mapping
from typing import Any

from csc_tasks.runs.results_file import Identity
from leaderboard.board import Model
from leaderboard.model_report import Reply, SampleConversation, SampleSet, SampleTurn, Spoken
from leaderboard.numbers.measured import Rows


def make_samples(table: str, rows: Rows, models: Mapping[Identity, Model], seed: int) -> SampleSet:
    """The drawn conversations with the replies of every model that has samples."""
    lines: dict[tuple[str, int], Mapping[str, Any]] = {}
    replies: dict[tuple[str, int], dict[str, dict[str, Reply]]] = {}
    total = 0
    for identity, tasks in rows.items():
        for task, found in tasks.items():
            total = max(total, len(found.logged.ids) if found.logged else 0)
            for line in found.logged.drawn if found.logged else ():
                for position, record in enumerate(line["records"]):
                    key = record["conversation_id"], record["turn"]
                    lines.setdefault(
                        key, {"doc": line["doc"], "record": record, "index": position + 1}
                    )
                    scores = {
                        name: items[position]
                        for name, items in line["scores"].items()
                        if isinstance(items[position], int | float)
                    }
                    reply = Reply(
                        strategy=record.get("strategy"),
                        unparsed=record.get("unparsed"),
                        text=record["reply"],
                        truncated=record.get("truncated"),
                        failed=record.get("failed"),
                        thinking_cut=record.get("thinking_cut"),
                        unsupported=found.unsupported.get(key, ()),
                        scores={name: float(score) for name, score in scores.items()},
                    )
                    replies.setdefault(key, {}).setdefault(models[identity].slug, {})[task] = reply
    conversations: dict[str, list[SampleTurn]] = {}
    for (id_, turn), line in lines.items():
        record, question = line["record"], line["doc"].get("client_question")
        conversations.setdefault(id_, []).append(
            SampleTurn(
                turn=turn,
                index=line["index"] if "stage" not in record else turn + 1,
                strategy=record.get("gold_strategy"),
                reference=record["reference"],
                question=question if isinstance(question, str) else None,
                replies=replies[id_, turn],
            )
        )
    documents = {id_: lines[id_, turns[0].turn]["doc"] for id_, turns in conversations.items()}
    return SampleSet(
        table=table,
        seed=seed,
        total=total,
        conversations=tuple(
            _conversation(documents[id_], turns[0], tuple(sorted(turns, key=lambda t: t.turn)))
            for id_, turns in conversations.items()
        ),
    )


def _conversation(
    document: Mapping[str, Any], first: SampleTurn, turns: tuple[SampleTurn, ...]
) -> SampleConversation:
    def optional(key: str) -> str | None:
        value = document.get(key)
        return value if isinstance(value, str) else None

    spoken = document.get("dialogue") or document.get("conversation_history") or ()
    return SampleConversation(
        conversation_id=document["conversation_id"],
        language=optional("language") or "",
        topic=optional("topic") or "",
        source=optional("source") or "",
        part=optional("stage"),
        summary=optional("history_summary"),
        instruction=optional("instruction"),
        dialogue=tuple(
            Spoken(
                speaker=str(turn.get("speaker", "")),
                strategy=str(turn.get("strategy") or ""),
                text=str(turn.get("text", "")),
            )
            for turn in spoken
            if isinstance(turn, Mapping)
        ),
        turns=turns,
    )
