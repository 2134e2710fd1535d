"""Simulated studies of judges: does the report find the biases that were put in, and do its
intervals cover the truth?

    python -m benchmarks.judges --studies 500

Each study has three models of known quality, conversations of unequal difficulty with two replies
each, and two noisy judges. One rates with a bonus for length and for its own family, the other
compares and leans towards whatever it sees first; two people rate on 1-5. "Truth" is what was put
in, or the same estimator on one study of --large conversations. An interval should cover it in 95 %
of the studies.
"""

import argparse
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from leaderboard.board import Value
from leaderboard.judging import effects, rating_tables
from leaderboard.judging.dimensions import score_class
from leaderboard.judging.intervals import mean
from leaderboard.judging.ratings import Comparison, Rating
from leaderboard.judging.strengths import ranking

QUALITY = {"gpt-small": 50.0, "qwen": 56.0, "llama": 60.0}
TURNS = 2
LENGTH, KIN, FIRST = 3.0, 4.0, 5.0
"""What is put in: points per doubling of the length, points for the judge's own family, points for
whatever is shown first.
"""
TIE = 3.0


def study(seed: int, conversations: int) -> tuple[list[Rating], list[Comparison]]:
    """Ratings and comparisons of one simulated study."""
    draw = np.random.default_rng(seed)
    names = list(QUALITY)
    ratings, comparisons = [], []
    difficulty = draw.normal(0, 7, conversations)
    own = draw.normal(0, 4, (conversations, len(names)))
    size = 2 ** draw.uniform(4, 9, (conversations, TURNS, len(names)))
    true = (
        np.array(list(QUALITY.values()))
        + difficulty[:, None, None]
        + own[:, None]
        + draw.normal(0, 4, size.shape)
    )
    noise = draw.normal(0, 6, (4, *size.shape))
    lean = LENGTH * (np.log2(size) - 6.5) + KIN * np.array(
        [name.startswith("gpt") for name in names]
    )
    heard = {
        "gpt-judge": true + lean + noise[0],
        "other": true + noise[1],
        "rater-1": true + noise[2],
        "rater-2": true + noise[3],
    }
    for c in range(conversations):
        for turn in range(TURNS):
            for m, model in enumerate(names):
                for rater, level in heard.items():
                    judge = not rater.startswith("rater")
                    score = float(np.clip(level[c, turn, m], 0, 100))
                    said = {"tone": score if judge else float(score_class(score))}
                    kind, asked = ("judge", "x") if judge else ("human", "")
                    place = (
                        model,
                        "t",
                        f"t/c{c}/{turn}",
                        f"c{c}",
                        "en",
                        "",
                        "",
                        int(size[c, turn, m]),
                    )
                    ratings.append(Rating(kind, rater, asked, *place, said))
            for i in range(len(names)):
                for j in range(i + 1, len(names)):
                    seen = [
                        (true[c, turn, a] - true[c, turn, b]) + FIRST + draw.normal(0, 4)
                        for a, b in ((i, j), (j, i))
                    ]
                    forward, backward = map(_verdict, seen)
                    comparisons.append(
                        Comparison(
                            "other",
                            "x",
                            names[i],
                            names[j],
                            "t",
                            f"t/c{c}/{turn}",
                            f"c{c}",
                            "en",
                            "",
                            "",
                            int(size[c, turn, i]),
                            int(size[c, turn, j]),
                            forward,
                            backward,
                        )
                    )
    return ratings, comparisons


def measured(ratings: list[Rating], comparisons: list[Comparison]) -> dict[str, Value]:
    """Everything whose interval is checked."""
    found = {}
    own = [r for r in ratings if (r.rater, r.model) == ("other", "qwen")]
    found["mean score of a model"] = mean(
        [r.scores["tone"] for r in own], [r.conversation_id for r in own]
    )
    found["length effect, raw"], _ = effects.length(ratings, "gpt-judge")
    _, found["length effect, beyond the others"] = effects.length(ratings, "gpt-judge")
    _, found["length effect of the unbiased judge, beyond people"] = effects.length(
        [r for r in ratings if r.rater != "gpt-judge"], "other"
    )
    found["self-preference"] = effects.self_preference(
        ratings, "gpt-judge", "openai:x", {"gpt-judge": "gpt"}
    )
    order = effects.position(comparisons)
    found["order: first minus second"], found["order: flips"] = order.first, order.flips
    said = rating_tables.opinions(ratings)
    judges, people = (
        rating_tables.agreement(said.of(raters))
        for raters in (["gpt-judge", "other"], ["rater-1", "rater-2"])
    )
    found["judges: interval alpha"], found["judges: Spearman"] = judges.interval, judges.spearman
    found["judges: ordinal alpha"], found["people: ordinal alpha"] = judges.ordinal, people.ordinal
    found["people: Fleiss' kappa"] = people.kappa
    ranked = ranking(comparisons)
    for (a, b), value in ranked.differences.items():
        found[f"Bradley-Terry: {a} - {b}"] = value
    return found


def one(arguments: tuple[int, int]) -> dict[str, tuple]:
    """(value, low, high) of each number in one study."""
    seed, conversations = arguments
    return {
        name: (value.value, value.low, value.high)
        for name, value in measured(*study(seed, conversations)).items()
    }


def truth(conversations: int) -> dict[str, float]:
    """The same estimators on one large study; what was put in exactly is known exactly."""
    found = {name: value.value for name, value in measured(*study(10**6, conversations)).items()}
    return found | {
        "mean score of a model": QUALITY["qwen"],
        "length effect, raw": LENGTH,
        "length effect, beyond the others": LENGTH,
        "length effect of the unbiased judge, beyond people": 0.0,
    }


def _verdict(difference: float) -> str:
    """What a judge says who sees this difference between the first and the second."""
    if abs(difference) < TIE:
        return "tie"
    return "first" if difference > 0 else "second"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--conversations", type=int, default=100)
    parser.add_argument("--large", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    expected, started = truth(args.large), time.perf_counter()
    hits: dict[str, list[tuple[bool, bool, float]]] = defaultdict(list)
    with ProcessPoolExecutor(args.processes) as pool:
        for number, found in enumerate(
            pool.map(
                one, [(seed, args.conversations) for seed in range(args.studies)], chunksize=5
            ),
            1,
        ):
            for name, (value, low, high) in found.items():
                hits[name].append((low <= expected[name] <= high, low > 0 or high < 0, value))
            if number % 50 == 0:
                print(
                    f"{number} of {args.studies} studies, {time.perf_counter() - started:.0f} s",
                    flush=True,
                )
    print(
        f"{args.studies} studies of {args.conversations} conversations, {TURNS} replies of"
        f" {len(QUALITY)} models in each"
    )
    print(
        "|number|truth|mean estimate|interval covers the truth|interval without"
        " 0|\n|---|---:|---:|---:|---:|"
    )
    for name, found in hits.items():
        covered, apart = (100 * sum(hit[i] for hit in found) / len(found) for i in (0, 1))
        print(
            f"|{name}|{expected[name]:.3f}|{sum(hit[2] for hit in found) / len(found):.3f}"
            f"|{covered:.1f}"
            f" %|{apart:.0f} %|"
        )


if __name__ == "__main__":
    main()
