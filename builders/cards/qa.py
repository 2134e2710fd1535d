"""What the cards of QA builds say."""

from collections.abc import Mapping

from builders.cards.render import Card, markdown_table

CITATION = """
@article{csqa2026,
  title   = {Can Small Language Models Handle Context-Summarized Multi-Turn Customer-Service QA?},
  journal = {arXiv preprint arXiv:2602.00665},
  year    = {2026}
}
"""
_PAIRS = {
    "all": "Every customer turn that the agent answers with the next turn became a row.",
    "published": (
        "One pair of each conversation became a row, drawn as the notebooks of the paper do: a"
        " third of the conversation with weights 0.2, 0.7 and 0.1, a turn of that third, the"
        " nearest pair. Pairs whose question or answer has fewer than 6 tokens (English: words"
        " between white space; Chinese: characters and words) were skipped."
    ),
}
_MODERATION = {
    "none": (
        "**No moderation: nobody looked for abuse or other content that must not be published.**"
    ),
    "llm": (
        "A language model judged every conversation first; what was flagged, or could not be"
        " judged, was dropped whole."
    ),
}
_ENDPOINT = (
    "A moderation endpoint (`{}`) judged every turn first; a conversation with a flagged turn, or"
    " not judged in full, was dropped."
)


def card(build: Mapping, licence: str) -> Card:
    """The card for what `build` (build.json of csc build qa) says."""
    settings, counts = build["settings"], build["counts"]
    moderation = _MODERATION.get(settings["moderation"]) or _ENDPOINT.format(settings["moderation"])
    models = markdown_table(
        ["stage", "model"], [[stage, f"`{model}`"] for stage, model in build["models"].items()]
    )
    variants = markdown_table(
        ["config", "most tokens of a summary", "prompt"],
        [
            [f"`{name}`", str(variant["tokens"]), variant["prompt"]]
            for name, variant in settings["variants"].items()
        ],
    )
    train, validation, test = settings["splits"].values()
    sources = ", ".join(
        f"{source} ({rows:,} rows)" for source, rows in counts["rows_by_source"].items()
    )
    return Card(
        title="Context-summarised customer-support questions",
        summary=(
            "Questions from recorded support conversations, each with the turns before it, a"
            " summary of these, and the answer."
        ),
        licence=licence,
        languages=tuple(counts["rows_by_language"]),
        source=(
            f"Recorded conversations of 5 to 100 turns, same-speaker neighbours merged: {sources}."
        ),
        made=f"""The method is that of arXiv 2602.00665. {_PAIRS[settings["pairs"]]}
A pair is early, mid or late by its position p = (i + 0.5) / n among the conversation's n pairs:
below 0.2, in between, from 0.9 on.

{moderation}

The summary is a running one: that of a row is made from the summary of the row before it in the
conversation and the turns since. One that has too many tokens is asked for again, then its pair is
dropped; nothing is cut. Tokens are counted by the server where it tells, else by
{settings["token_counter"]}. A first question without history has an empty summary. All configs have
the same rows.

{variants}

The refined answer (the reference) is the agent's answer rewritten by a model that sees the turns
just before and no summary. Where that failed, the pair was dropped. Splits are by conversation
({train}/{validation}/{test} %), from a hash of its content.

{models}
""",
        limits=_limits(build),
        citation=CITATION,
    )


def _limits(build: Mapping) -> tuple[str, ...]:
    """What the reader should know before using it."""
    limits = [
        (
            "Summaries and refined answers were written by language models; nobody checked single"
            " rows by hand. The counts above say how many facts of a history are in its summary and"
            " how many facts of a summary are in no turn, as far as patterns find facts."
        ),
        "What the models wrote was not moderated again.",
        (
            "Histories, questions and answers are as recorded: look for personal data before you"
            " publish them (`csc push` does too)."
        ),
        "The stage of a row is its position in the conversation, not what is said there.",
    ]
    if build["settings"]["moderation"] == "none":
        limits.insert(0, "There was no moderation.")
    if set(build["models"].values()) == {"scripted"}:
        limits.insert(
            0,
            "The models are offline stand-ins that write by rules: use this set to try things out,"
            " not to train for real.",
        )
    return tuple(limits)


def stages_card(build: Mapping, licence: str) -> Card:
    """The card for what `build` (build.json of csc build qa-stages) says."""
    corpus = build["corpus"]
    at = f" at commit `{corpus['revision']}`" if corpus["revision"] else ""
    hashes = ", ".join(f"{split} `{digest}`" for split, digest in corpus["content_hash"].items())
    (model,) = build["models"].values()
    limits = [
        "The stages were given by a language model that saw the history and the question; nobody"
        " checked them by hand."
    ]
    if model == "scripted":
        limits.insert(
            0,
            "The model is an offline stand-in that goes by rules: use these stages to try things"
            " out.",
        )
    return Card(
        title="Context-summarised customer-support questions with stages",
        summary="A QA corpus with the stage (early, mid, late) of every question.",
        licence=licence,
        languages=tuple(corpus["languages"]),
        source=f"`{corpus['name']}`{at}, content hashes: {hashes}.",
        made=(
            f"`{model}` labelled the stage of every question from the history (its summary where"
            " there are no turns) and the question. It never saw the answer nor the refined"
            " answer. Rows that could not be labelled were dropped; everything else stands as it"
            " was."
        ),
        limits=tuple(limits),
        citation=CITATION,
    )
