"""Pairs of played and recorded conversations -> the audit of a customer."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csc_tasks.conversation import CUSTOMER
from csc_tasks.corpora import Corpus
from csc_tasks.errors import DataError
from csc_tasks.metrics import estimate
from csc_tasks.runs.public import public_name
from leaderboard.audit.answers import Answers
from leaderboard.audit.comparing import HALVES, Compared, compare
from leaderboard.audit.cues import cues_of
from leaderboard.audit.dimensions import DIMENSIONS, Context
from leaderboard.audit.measuring import Measured, measure
from leaderboard.audit.reading import Pairs, Played
from leaderboard.audit.resampling import random_divisions
from leaderboard.audit.turns import talk_of, talks_of
from leaderboard.board import Value
from leaderboard.customer_audit import (
    FEWEST,
    AuditedDimension,
    AuditedFeature,
    Curve,
    CustomerAudit,
    Verdict,
)
from leaderboard.numbers.intervals import SHARE, UNBOUNDED, with_interval

FEWEST_AT_ALL = 5
POINTS = 41
"""Of a curve."""
UNITS = {
    "both": "energy distance, standard deviations",
    "more": "shift in the worse direction, standard deviations",
    "less": "shift in the worse direction, standard deviations",
    "likeness": "more of the wording shared between conversations (share)",
    "classifier": "area under the ROC curve (0.5: cannot be told apart)",
}
CANNOT_SEE = (
    "It sees words, not meaning: a turn that is wrong in fact but uses the right words and numbers"
    " passes, and cues such as thanks or complaints are lists of expressions that irony escapes.",
    "It compares with the people of this corpus on these conversations: a customer that passes is"
    " like them, not like every customer, and one that people would find natural may fail because"
    " it does not write as they do.",
    "What the supporter says differs between the two sides: some of a difference in length, mood or"
    " endings may be the evaluated model's doing, and not the customer's.",
    "Whether the customer judged fairly that its goal was reached is not examined.",
    "Briefs are made from the recorded conversations, whose people therefore state next to nothing"
    " that is not in them: a played customer may make up nothing where a person might have.",
    "Coherence is judged by what recorded people answered to similar words: good answers that"
    " nobody gave rank low, and a reply that fits the last turn but contradicts an earlier one"
    " ranks high.",
    "What a model said as the customer is taken as its run logged it: nobody can compute again that"
    " it said so.",
    "Passing is not proof: with few conversations only large differences show. The intervals say"
    " how large a difference may have gone unseen.",
)


def audit(played: Played, pairs: Pairs, corpus: Corpus, seed: int = 0) -> CustomerAudit:
    """Audit the played customer against the recorded ones.

    Raises DataError with fewer than five conversations.
    """
    size = len(pairs.played)
    if size < FEWEST_AT_ALL:
        raise DataError(
            f"{size} conversations of {played.customer} can be compared; an audit needs"
            f" {FEWEST_AT_ALL} at least, and {FEWEST} to pass a customer"
        )
    reference = talks_of(pairs.reference, pairs.language)
    context = Context(cues_of(pairs.language), Answers(reference))
    talks = [talk_of(dialogue, pairs.language) for dialogue in (*pairs.played, *pairs.recorded)]
    measured = measure(talks, context)
    side = np.arange(2 * size) < size
    compared = {result.dimension.id: result for result in compare(measured, side, seed)}
    dimensions = tuple(
        _dimension(compared[dimension.id], measured, side, seed)
        if dimension.id in compared
        else AuditedDimension(
            id=dimension.id,
            title=dimension.title,
            asks=dimension.asks,
            missing=measured.missing[dimension.id],
        )
        for dimension in DIMENSIONS
    )
    failed = tuple(dimension.id for dimension in dimensions if dimension.failed)
    undecided = _undecided(size, dimensions) if not failed else ()
    verdict: Verdict = "pass"
    if failed or undecided:
        verdict = "fail" if failed else "undecided"
    return CustomerAudit(
        customer=played.customer,
        verdict=verdict,
        failed=failed,
        undecided=undecided,
        # A run of a part of the corpus (one language) says which content it is of.
        corpus=played.corpus or corpus.content_hash,
        corpus_name=public_name(corpus.name),
        recorded=corpus.content_hash,
        config=corpus.config,
        split=corpus.split,
        revision=corpus.revision,
        customer_prompt=played.customer_prompt,
        customer_temperature=played.customer_temperature,
        briefs=played.briefs,
        max_turns=played.max_turns,
        runs=played.runs,
        language=pairs.language,
        models=tuple(sorted({run.model for run in played.runs} - {""})),
        conversations=size,
        counts=dict(pairs.counts),
        endings=dict(sorted(Counter(dialogue.ending for dialogue in pairs.played).items())),
        unfit=_unfit(pairs),
        seed=seed,
        dimensions=dimensions,
        cannot_see=CANNOT_SEE,
    ).signed()


def _undecided(size: int, dimensions: tuple[AuditedDimension, ...]) -> tuple[str, ...]:
    """Why a customer that fails nowhere is not passed all the same."""
    reasons = []
    if size < FEWEST:
        reasons.append(f"{size} conversations are too few to pass a customer ({FEWEST})")
    for dimension in dimensions:
        if dimension.missing:
            reasons.append(f"{dimension.title} could not be examined: {dimension.missing}")
    return tuple(reasons)


def _dimension(
    result: Compared, measured: Measured, side: NDArray[np.bool_], seed: int
) -> AuditedDimension:
    dimension = result.dimension
    kind = dimension.worse if dimension.kind == "features" else dimension.kind
    values = measured.features.get(dimension.id)
    features: tuple[AuditedFeature, ...] = ()
    if values is not None:
        features = tuple(
            AuditedFeature(
                label=feature.label,
                recorded=_mean(values[~side, i], measured.ids[~side]),
                played=_mean(values[side, i], measured.ids[side]),
            )
            for i, feature in enumerate(dimension.features)
        )
    labels = {
        "likeness": "wording shared with the side's other conversations",
        "classifier": "score of the classifier, higher: played",
    }
    label = labels.get(dimension.kind) or dimension.features[result.feature].label
    return AuditedDimension(
        id=dimension.id,
        title=dimension.title,
        asks=dimension.asks,
        unit=UNITS[kind],
        distance=result.distance,
        low=result.low,
        high=result.high,
        halves=(float(np.median(result.halves)), float(np.quantile(result.halves, 0.95))),
        p=result.p,
        adjusted=result.adjusted,
        failed=result.failed,
        features=features,
        curve=_curve(label, result.shown, side, seed),
    )


def _curve(label: str, shown: NDArray[Any], side: NDArray[np.bool_], seed: int) -> Curve | None:
    """The distribution of what a picture shows, on both sides and in halves of people."""
    known = ~np.isnan(shown)
    people, played = shown[known & ~side], shown[known & side]
    if len(people) < 2 or not len(played):
        return None
    different = np.unique(np.concatenate([people, played]))
    xs = different
    if len(different) > POINTS:
        xs = np.unique(np.quantile(different, np.linspace(0, 1, POINTS)))
    below = (people[:, None] <= xs).astype(np.float32)
    halves = random_divisions(len(people), len(people) // 2, HALVES, np.random.default_rng(seed))
    shares = halves @ below / (len(people) // 2)
    low, high = np.quantile(shares, [0.025, 0.975], axis=0)

    def numbers(values: NDArray[Any]) -> tuple[float, ...]:
        return tuple(round(float(value), 4) for value in values)

    return Curve(
        label=label,
        xs=tuple(float(f"{x:.5g}") for x in xs),
        recorded=numbers(below.mean(axis=0)),
        played=numbers((played[:, None] <= xs).mean(axis=0)),
        low=numbers(low),
        high=numbers(high),
    )


def _mean(values: NDArray[Any], ids: NDArray[Any]) -> Value:
    """The mean over the conversations that say something, with its interval."""
    known = ~np.isnan(values)
    return with_interval(estimate(values[known].tolist(), ids[known].tolist()), UNBOUNDED)


def _unfit(pairs: Pairs) -> Value | None:
    """The share of the customer's turns at which a recorded customer had nothing that fits; None
    where no customer ever says so.
    """
    turns = [
        (dialogue.conversation_id, float(turn.unfit))
        for dialogue in pairs.played
        for turn in dialogue.turns
        if turn.speaker == CUSTOMER
    ]
    if not any(unfit for _, unfit in turns):
        return None
    return with_interval(estimate([unfit for _, unfit in turns], [id_ for id_, _ in turns]), SHARE)
