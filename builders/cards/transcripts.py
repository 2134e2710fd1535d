"""What the card of a folder of transcripts says."""

from collections.abc import Mapping

from builders.cards.render import Card

UNLABELLED = "Strategies are not labelled: metrics of strategies have no value here."
WITHOUT_LABELS = ", without labels of strategies"

TRANSCRIPTS = "Transcripts from a support tool"
SIMULATED = (
    "Trajectories of tau2-bench or tau-bench: customers and agents are language models, and the"
    " calls of tools between their turns are not shown"
)


def card(build: Mapping, licence: str) -> Card:
    """The card for what `build` (build.json) says."""
    settings, counts = build["settings"], build["counts"]
    masking = "E-mail addresses, access tokens and numbers of phones, bank cards, bank accounts and"
    masked = (
        f"{masking} identities were replaced by placeholders."
        if settings["masked"]
        else "Personal data were left as they are."
    )
    simulated = settings.get("format") == "tau2"
    kind = "Simulated" if simulated else "Recorded"
    return Card(
        title="Customer-support conversations",
        summary=f"{kind} customer-support conversations{WITHOUT_LABELS}.",
        licence=licence,
        languages=tuple(counts["conversations_by_language"]),
        source=(SIMULATED if simulated else TRANSCRIPTS) + "; see `source` in the rows.",
        made=f"""
Private notes, calls of tools and lines of the system were left out, HTML became text, quoted mail
and signatures were cut, and neighbouring turns of one speaker are one turn with single spaces. An
exact duplicate of a conversation was dropped. {masked}
""",
        limits=(
            UNLABELLED,
            (
                "Personal data are found by patterns: names and street addresses are not."
                " Read before you pass the conversations on."
            ),
            "What is a signature or a quotation is told by rules, which can err either way.",
        ),
        tags=("transcripts",),
    )
