"""Other documents than the corpus has, or only those that went well; all numbers agree."""

import copy

from benchmarks.red_team.forgery import forgery
from benchmarks.red_team.forging import (
    Lines,
    Text,
    better,
    consistent,
    csc,
    in_order,
    keep,
    records,
    task_of,
    unit_of,
)
from csc_tasks.framework import BY_ID


def only_first(text: Text, lines: Lines, count: int) -> None:
    """As --limit would have left it: the counts of the whole stay."""
    whole = dict(csc(text))
    lines[:] = lines[:count]
    consistent(text, lines)
    csc(text).update({key: whole[key] for key in ("rows", "languages", "content_hash")})


@forgery("the easier half of the conversations", "not the documents that the run's settings imply")
def _easiest(text: Text, lines: Lines) -> None:
    lines[:] = [lines[i] for i in better(lines)[: len(lines) // 2]]
    consistent(text, lines)


@forgery("the easier half, called a --limit", "documents")
def _easiest_limit(text: Text, lines: Lines) -> None:
    rows, languages = len(lines), csc(text)["languages"]
    lines[:] = [lines[i] for i in better(lines)[: len(lines) // 2]]
    consistent(text, lines)
    csc(text).update(rows=rows, languages=languages)
    text["n-samples"][task_of(text)]["original"] = rows
    text["config"]["limit"] = float(len(lines))


@forgery("the easier half of the questions", "documents", task="csc_qa")
def _easiest_questions(text: Text, lines: Lines) -> None:
    lines[:] = [lines[i] for i in better(lines)[: len(lines) // 2]]
    consistent(text, lines)


@forgery("all but the worst conversation", "documents")
def _all_but_one(text: Text, lines: Lines) -> None:
    del lines[better(lines)[-1]]
    consistent(text, lines)


@forgery("a --limit that n-samples hides", "which hides a --limit")
def _hidden_limit(text: Text, lines: Lines) -> None:
    only_first(text, lines, len(lines) // 3)


@forgery("the best --limit", "", apart=True)
def _limit_shopping(text: Text, lines: Lines) -> None:
    in_order(lines)
    rows, best = len(lines), _best_prefix(lines)
    only_first(text, lines, best)
    text["n-samples"][task_of(text)]["original"] = rows
    text["config"]["limit"] = float(best)


@forgery("the best csc_subset (prefix shopping)", "", apart=True)
def _prefix_shopping(text: Text, lines: Lines) -> None:
    in_order(lines)
    lines[:] = lines[: _best_prefix(lines)]
    consistent(text, lines)
    text["configs"][task_of(text)]["metadata"]["csc_subset"] = len(lines)


@forgery("the best csc_subset, with the content hash of the whole", "content_hash")
def _prefix_as_whole(text: Text, lines: Lines) -> None:
    whole = csc(text)["content_hash"]
    _prefix_shopping(text, lines)
    csc(text)["content_hash"] = whole


@forgery("one language, called both", "languages")
def _one_language(text: Text, lines: Lines) -> None:
    spoken = csc(text)["languages"]
    lines[:] = [line for line in lines if line["doc"]["language"] == "en"]
    consistent(text, lines)
    csc(text)["languages"] = spoken
    text["configs"][task_of(text)]["metadata"]["csc_language"] = "en"


def _best_prefix(lines: Lines) -> int:
    scores = [
        [item for line in lines[:count] for item in line["strategy_acc"][1]]
        for count in range(3, len(lines))
    ]
    return 3 + max(range(len(scores)), key=lambda i: sum(scores[i]) / len(scores[i]))


@forgery("only the right turns", "turns")
def _right_turns(text: Text, lines: Lines) -> None:
    keep(
        lines,
        {
            position: [i for i, item in enumerate(line["strategy_acc"][1]) if item]
            for position, line in enumerate(lines)
        },
    )
    consistent(text, lines)


@forgery("only the right turns, called csc_turns", "only some turns were asked for")
def _named_turns(text: Text, lines: Lines) -> None:
    _right_turns(text, lines)
    names = [f"{record['conversation_id']}/{record['turn']}" for record in records(lines)]
    text["configs"][task_of(text)]["metadata"]["csc_turns"] = names


@forgery("only the right turns, of a corpus whose dialogues end there", "not those of the trusted")
def _shorter(text: Text, lines: Lines) -> None:
    _right_turns(text, lines)
    for line in lines:
        there = {record["turn"] for record in line["turns"]}
        for i, turn in enumerate(line["doc"]["dialogue"]):
            if i not in there:
                turn["strategy"] = ""
    consistent(text, lines)


@forgery("the best conversation instead of the worst", "stands in the samples more than once")
def _again(text: Text, lines: Lines) -> None:
    order = better(lines)
    lines[order[-1]] = copy.deepcopy(lines[order[0]])
    consistent(text, lines)


@forgery("the best conversation again under a numbered id", "the trusted corpus does not have it")
def _numbered(text: Text, lines: Lines) -> None:
    order = better(lines)
    twin = copy.deepcopy(lines[order[0]])
    name = f"{twin['doc']['conversation_id']}-2"
    for part in (twin["doc"], *twin["turns"]):
        part["conversation_id"] = name
    lines[order[-1]] = twin
    consistent(text, lines)


@forgery("a right turn twice in its conversation", "turns")
def _turn_twice(text: Text, lines: Lines) -> None:
    line = lines[better(lines)[0]]
    place = line["strategy_acc"][1].index(1.0)
    line["arguments"][f"gen_args_{len(line['turns'])}"] = line["arguments"][f"gen_args_{place}"]
    for name in ("turns", "resps", "filtered_resps"):
        line[name].append(copy.deepcopy(line[name][place]))
    consistent(text, lines)


@forgery("edited documents: references become the replies", "not those of the trusted corpus")
@forgery("the same in generated context", "not those of the trusted corpus", task="csc_conv_gen")
def _edited(text: Text, lines: Lines) -> None:
    for line in lines:
        for turn in line["turns"]:
            turn["reference"] = turn["reply"] or turn["reference"]
            line["doc"]["dialogue"][turn["turn"]]["text"] = turn["reference"]
    consistent(text, lines)


@forgery(
    "edited questions: references become the replies",
    "not those of the trusted corpus",
    task="csc_qa",
)
def _edited_questions(text: Text, lines: Lines) -> None:
    for line in lines:
        (answer,) = line["answers"]
        answer["reference"] = line["doc"]["refined_agent_answer"] = answer["reply"] or "-"
    consistent(text, lines)


@forgery("edited documents: labels become the predictions", "not those of the trusted corpus")
def _relabelled(text: Text, lines: Lines) -> None:
    for line in lines:
        for turn in line["turns"]:
            chosen = turn["strategy"] or turn["gold_strategy"]
            turn |= {"gold_strategy": chosen, "gold_stages": list(BY_ID[chosen].stages)}
            line["doc"]["dialogue"][turn["turn"]]["strategy"] = chosen
    consistent(text, lines)


@forgery("customers who say the answer", "not those of the trusted corpus")
def _told(text: Text, lines: Lines) -> None:
    for line in lines:
        for turn in line["turns"]:
            before = line["doc"]["dialogue"][turn["turn"] - 1]
            if turn["turn"] and before["speaker"] == "customer":
                before["text"] += f" (You will say: {turn['reference']})"
    consistent(text, lines)


@forgery("Chinese documents called English, for its tokens", "not those of the trusted corpus")
def _other_language(text: Text, lines: Lines) -> None:
    for line in lines:
        for part in (line["doc"], *line[unit_of(lines)]):
            part["language"] = "en"
    consistent(text, lines)


@forgery("invisible letters in the documents", "not those of the trusted corpus")
def _invisible(text: Text, lines: Lines) -> None:
    for line in lines:
        line["doc"]["dialogue"][0]["text"] += "\u200b"
    consistent(text, lines)


@forgery("another corpus of one's own, called the demo", "contradicted")
def _own_demo(text: Text, lines: Lines) -> None:
    for line in lines:
        for part in (line["doc"], *line["turns"]):
            part["conversation_id"] += "x"
    consistent(text, lines)
    csc(text)["corpus"] = "demo"


@forgery("the split that models train on", "this task does not read")
def _train(text: Text, lines: Lines) -> None:
    csc(text)["split"] = "train"


@forgery("another content hash, to stand in a table alone", "content_hash")
def _alone(text: Text, lines: Lines) -> None:
    csc(text)["content_hash"] = "0123456789abcdef"
