"""What the card of a RoleCS build says."""

from collections.abc import Mapping

from builders.cards.render import Card

_HOW = {
    "full": (
        "A planner turned each pair of topic and profile into a case. A supporter, told by an"
        " assistant which strategy to use, and a customer, told by another what to do next, then"
        " talked it through. The customer side never saw the strategies."
    ),
    "no-assistant": (
        "A planner turned each pair of topic and profile into a case. A supporter that chose its"
        " strategies itself and a customer, told by an assistant what to do next, then talked it"
        " through (baseline 2 of Table 7)."
    ),
    "none": (
        "One request per pair of topic and profile wrote the whole conversation, with examples in"
        " the prompt (baseline 1 of Table 7)."
    ),
}


def card(build: Mapping, licence: str) -> Card:
    """The card for what `build` (build.json) says."""
    settings = build["settings"]
    scripted = all(model == "scripted" for model in build["models"].values())
    models = "\n".join(f"| {stage} | `{model}` |" for stage, model in build["models"].items())
    limits = [
        "Everything was written by a language model; nobody checked single conversations by hand.",
        (
            "The strategies are those the supporter was told to use, as far as the judge (a"
            " language model too) saw them followed."
        ),
        (
            "Customers, cases, names and numbers are invented; policies and fees said by a"
            " supporter are not those of any institution."
        ),
    ]
    if scripted:
        limits.insert(
            0,
            "The models are offline stand-ins that speak by rules: use this set to try things out,"
            " not to train for real.",
        )
    return Card(
        title="Role-played customer-support conversations",
        summary=(
            "Synthetic support conversations between role-playing agents, every supporter turn with"
            " its strategy."
        ),
        licence=licence,
        languages=tuple(settings["languages"]),
        source=(
            f"{build['profiles']['count']:,} customer profiles, each with {len(settings['topics'])}"
            f" topics: {'; '.join(settings['topics'])}. The method is that of RoleCS (arXiv"
            " 2508.04423)."
        ),
        made=f"""{_HOW[settings["roles"]]}

The supporter's first two turns are Greeting and Identity Verification, no strategy is used more
than twice in a row, and there are at most 50 utterances. What broke a rule was dropped, then what a
judge, which gave a reason first, did not find good on all five of its criteria: strategy adherence,
unreasonable requests recognised, natural, varied, in role. Planner, supporter and assistants were
told the framework's five stages; the profiles are in the third person.

| stage | model |
| --- | --- |
{models}
""",
        limits=tuple(limits),
        citation="""
@article{csc2025,
  title   = {Evaluating, Synthesizing, and Enhancing for Customer Support Conversation},
  journal = {arXiv preprint arXiv:2508.04423},
  year    = {2025}
}
""",
        tags=("synthetic",),
    )
