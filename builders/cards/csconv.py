"""What the card of a CSConv build says."""

from collections.abc import Mapping

from builders.cards.render import Card


def card(build: Mapping, licence: str) -> Card:
    """The card for what `build` (build.json) says."""
    settings, counts = build["settings"], build["counts"]
    languages = tuple(counts["conversations_by_language"])
    sources = ", ".join(f"{name} ({n:,})" for name, n in counts["conversations_by_source"].items())
    models = "\n".join(f"| {stage} | `{model}` |" for stage, model in build["models"].items())
    rules, rewritten = settings["rules_before"], settings["rules_after"]
    fewest, most = rules["exchanges"]
    longest, share = (
        rules["most_characters_of_an_utterance"],
        rules["least_share_of_characters_of_either_side"],
    )
    long_turns = rules["least_share_of_customer_turns_longer_than_3_characters"]
    return Card(
        title="Strategy-annotated customer-support conversations",
        summary=(
            "Real support conversations, rewritten by a language model so that every supporter turn"
            " follows one support strategy."
        ),
        licence=licence,
        languages=languages,
        source=(
            f"Recorded conversations: {sources}. The method is that of CSConv (arXiv 2508.04423,"
            " Section 3). The originals are no part of this dataset and keep their own licences."
        ),
        made=f"""1. Same-speaker neighbours were merged. Kept were recordings with {fewest}
   to {most} exchanges, no utterance over {longest} characters, at least {share:.0%} of the
   characters on either side, and at least {long_turns:.0%} of the customer's turns longer than 3
   characters.
2. A model took out abusive and unprofessional talk (`check`) and named the topic where the source
   has none (`topic`). Every model that judges gave a reason before its verdict.
3. Up to {settings["per_topic"]:,} conversations per topic, drawn at random, were rewritten by a
   model (`rewrite`), which was told the framework's five stages: one strategy per supporter turn,
   placeholders for personal data. Closing system notes were taken off.
4. Dropped was what has fewer than {rewritten["utterances"][0]} or more than
   {rewritten["utterances"][1]} utterances, does not strictly alternate, or lacks one of
   {", ".join(rewritten["required_strategies"])}; then what a model (`judge`) did not find coherent,
   empathetic and fitting its strategies.

| stage | model |
| --- | --- |
{models}
""",
        limits=_limits(build),
        citation="""
@article{csc2025,
  title   = {Evaluating, Synthesizing, and Enhancing for Customer Support Conversation},
  journal = {arXiv preprint arXiv:2508.04423},
  year    = {2025}
}
""",
        tags=("rewritten",),
    )


def _limits(build: Mapping) -> tuple[str, ...]:
    """What the reader should know before using it."""
    limits = [
        (
            "The conversations are rewritten, not recorded: wording, strategies and the turns added"
            " for the framework are a model's."
        ),
        (
            "The judge is a language model too. `csc review export` puts original, rewrite and the"
            " judge's reason side by side for people to decide."
        ),
        (
            "Placeholders stand for personal data as far as the model put them; a rewrite in which"
            " patterns found more was dropped. Names and street addresses are not found by"
            " patterns."
        ),
        "Facts are counted by patterns: few mistakes, but not every fact.",
    ]
    if all(model == "scripted" for model in build["models"].values()):
        limits.insert(
            0,
            "The models are offline stand-ins that work by rules: use this set to try things out,"
            " not to rank models.",
        )
    return tuple(limits)
