"""How often the printed intervals hold the true value, and how often curves and breakdowns name a
turn or group that is like all others.

  python -m benchmarks.coverage [--simulations 1000] [--conversations 10 30 60 200] [--seed 0]

A population of 20,000 simulated conversations stands for the world: 2 to 40 scored turns each,
nine on average, alike within a conversation. Corpora are drawn from it conversation by
conversation, so the true value is that of the whole population, exactly; every interval comes from
the code that a board's do. Macro-F1 has twelve strategies, the rarest 1 % of the turns, and the
truth of a corpus is over the labels that occur in it. Prints Markdown rows; `!` marks what is
significantly (exact binomial test, one-sided, 5 %) outside 93-97 %, or false alarms, in twice as
many simulations, above 5 %.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from csc_tasks.metrics.overlap import corpus_bleu
from csc_tasks.metrics.strategy import macro_f1
from leaderboard.board import Value
from leaderboard.numbers.inference import Clustered, apart_from, holm, paired, value_of
from leaderboard.numbers.intervals import SHARE, SIGNIFICANT, UNBOUNDED, Scale

SIZE = 20_000
STRATEGIES = np.array([20, 16, 14, 12, 10, 8, 6, 5, 4, 2.5, 1.5, 1.0]) / 100
BLEU = Scale(0.0, 100.0, corpus=True)
F1 = Scale(0.0, 1.0, corpus=True)


@dataclass(frozen=True)
class Population:
    """Conversations by how many turns they have, and the conversation of each turn."""

    turns: np.ndarray
    codes: np.ndarray
    random: np.random.Generator

    @classmethod
    def of(cls, seed: int, size: int = SIZE) -> "Population":
        random = np.random.default_rng(seed)
        turns = np.clip(random.negative_binomial(4, 4 / 11, size) + 2, 2, 40)
        return cls(turns, np.repeat(np.arange(size), turns), random)

    def summed(self, values: np.ndarray) -> np.ndarray:
        """(conversations, ...) sums of (turns, ...)."""
        columns = values.reshape(len(values), -1).T
        sums = [np.bincount(self.codes, weights=column) for column in columns]
        return sums[0] if values.ndim == 1 else np.stack(sums, axis=1)

    def hits(self, rate: float, alike: float) -> np.ndarray:
        """0 or 1 per turn, beta-binomial: `alike` is the correlation within a conversation."""
        spread = 1 / alike - 1
        own = self.random.beta(rate * spread, (1 - rate) * spread, len(self.turns))
        return (self.random.random(len(self.codes)) < own[self.codes]).astype(float)

    def scores(self, mean: float, alike: float = 0.15) -> np.ndarray:
        """Scores like ROUGE-L's, between 0 and 1: a sum of what a conversation and a turn add."""
        own = self.random.normal(size=len(self.turns))[self.codes] * alike**0.5
        latent = own + self.random.normal(size=len(self.codes)) * (1 - alike) ** 0.5
        return 1 / (1 + np.exp(-(np.log(mean / (1 - mean)) + latent)))

    def bleu(self, order: int, skill: float) -> np.ndarray:
        """BLEU's statistics: replies share words by chance and, more often in some conversations,
        a run of words with the reference, which is what makes long matches rare and bunched.
        """
        draw, count = self.random, len(self.codes)
        runs = 1 / (1 + np.exp(-draw.normal(skill, 1.0, len(self.turns))))
        reference = np.maximum(4, draw.gamma(4, 6, count).round())
        reply = np.maximum(4, (reference * draw.lognormal(-0.1, 0.35, count)).round()).astype(int)
        words = draw.beta(6, 20, len(self.turns))[self.codes]
        run = (draw.random(count) < runs[self.codes]) * (1 + draw.geometric(0.3, count))
        run = np.minimum(run, reply)
        matches = [
            np.minimum(draw.binomial(reply - n, words * chance) + np.maximum(run - n, 0), reply - n)
            for n, chance in enumerate((1.0, 0.2, 0.03, 0.004)[:order])
        ]
        totals = [reply - n for n in range(order)]
        return np.stack([reply, reference, *matches, *totals], axis=1).astype(float)

    def strategies(self, skill: float) -> np.ndarray:
        """Counts as `label_counts` has them: conversations prefer some strategies, and rare ones
        are predicted worse.
        """
        draw, count, labels = self.random, len(self.codes), len(STRATEGIES)
        preferred = draw.dirichlet(STRATEGIES * 15, len(self.turns)).cumsum(axis=1)[self.codes]
        gold = np.minimum((draw.random(count)[:, None] > preferred).sum(axis=1), labels - 1)
        right = draw.beta(4, 5, len(self.turns))[self.codes] * np.linspace(1.3, 0.4, labels)[gold]
        guess = draw.choice(labels, count, p=STRATEGIES)
        ours = np.where(draw.random(count) < right * skill, gold, guess)
        ours = np.where(draw.random(count) < 0.02, -1, ours)
        is_gold, is_ours = (one[:, None] == np.arange(labels) for one in (gold, ours))
        found = np.stack([is_gold & is_ours, ~is_gold & is_ours, is_gold & ~is_ours], axis=-1)
        return found.reshape(count, -1).astype(float)


@dataclass(frozen=True)
class Case:
    """A number: sums per conversation (of two models for a difference), and how it is made."""

    name: str
    sums: tuple[np.ndarray, ...]
    scale: Scale
    statistic: Callable | None = None
    labels: bool = False

    def drawn(self, turns: np.ndarray, chosen: np.ndarray) -> tuple[Value, float]:
        """(the number with its interval, its true value) of a corpus of the chosen conversations
        (with repetition).
        """
        ids = tuple(map(str, range(len(chosen))))
        sums, whole = list(self.sums), [one.sum(axis=0) for one in self.sums]
        if self.labels:
            there = (sums[0][chosen].reshape(len(chosen), -1, 3)[..., [0, 2]]).sum(axis=(0, 2)) > 0
            keep = np.repeat(there, 3)
            sums, whole = [one[:, keep] for one in sums], [one[keep] for one in whole]
        columns = [
            Clustered(ids, ids, turns[chosen], one[chosen], self.statistic, self.scale)
            for one in sums
        ]
        true = [
            one / turns.sum() if self.statistic is None else self.statistic(one) for one in whole
        ]
        if len(columns) == 1:
            return value_of(columns[0]), float(true[0])
        return paired(*columns)[0], float(true[0] - true[1])


def cases(population: Population) -> list[Case]:
    """Every kind of number that a board prints."""
    summed, hits = population.summed, population.hits
    found = [
        Case(f"share of {rate:g}, ICC {alike:g}", (summed(hits(rate, alike)),), SHARE)
        for rate in (0.01, 0.03, 0.4, 0.97)
        for alike in (0.03, 0.15)
    ]
    rouge = [summed(population.scores(mean)) for mean in (0.1, 0.3, 0.33)]
    found += [
        Case("ROUGE-L of 0.10", (rouge[0],), SHARE),
        Case("ROUGE-L of 0.30", (rouge[1],), SHARE),
        Case("difference, ROUGE-L", (rouge[1], rouge[2]), SHARE),
        Case("difference, accuracy", (summed(hits(0.4, 0.1)), summed(hits(0.35, 0.1))), SHARE),
        Case("difference, rare flag", (summed(hits(0.03, 0.1)), summed(hits(0.02, 0.1))), SHARE),
    ]
    for order, skill in ((2, -2.2), (4, -2.2), (4, -3.7)):
        first, second = (summed(population.bleu(order, skill + more)) for more in (0.0, 0.3))
        name = f"BLEU-{order} of {float(corpus_bleu(first.sum(axis=0))):.1f}"
        found.append(Case(name, (first,), BLEU, corpus_bleu))
        found.append(Case(f"difference, {name}", (first, second), BLEU, corpus_bleu))
    first, second = (summed(population.strategies(skill)) for skill in (1.0, 0.9))
    found.append(Case("macro-F1", (first,), F1, macro_f1, labels=True))
    found.append(Case("difference, macro-F1", (first, second), F1, macro_f1, labels=True))
    return found


@dataclass(frozen=True)
class Held:
    """How many of `simulations` intervals held the truth (None: no interval is printed)."""

    held: int
    simulations: int
    without: int

    @property
    def outside(self) -> bool:
        """Whether the coverage is significantly outside 93-97 %."""
        made = self.simulations - self.without
        return made > 0 and (
            tail(self.held, made, 0.93, low=True) < SIGNIFICANT
            or tail(self.held, made, 0.97, low=False) < SIGNIFICANT
        )

    def __str__(self) -> str:
        made = self.simulations - self.without
        if not made:
            return "N/A"
        return f"{100 * self.held / made:.1f}{'!' if self.outside else ''}"


def tail(count: int, total: int, rate: float, low: bool) -> float:
    """The chance of at most (`low`) or at least `count` of `total` at this rate."""
    from scipy.special import bdtr

    return float(bdtr(count, total, rate) if low else 1 - bdtr(count - 1, total, rate))


def coverage(
    case: Case, population: Population, conversations: int, simulations: int, seed: int
) -> Held:
    """How often the interval of `case` holds the true value in drawn corpora."""
    random = np.random.default_rng([seed, conversations])
    held = without = 0
    for _ in range(simulations):
        chosen = random.integers(0, len(population.turns), conversations)
        value, true = case.drawn(population.turns, chosen)
        if value.low is None or value.high is None:
            without += 1
        else:
            held += value.low <= true <= value.high
    return Held(held, simulations, without)


@dataclass(frozen=True)
class Alarms:
    """In how many of `simulations` runs a turn or group was named: as a board does it, and by
    intervals or tests of one turn or group each.
    """

    corrected: int
    uncorrected: int
    simulations: int

    @property
    def above(self) -> bool:
        """Whether the corrected ones are significantly above 5 %."""
        return tail(self.corrected, self.simulations, 0.05, low=False) < SIGNIFICANT

    def __str__(self) -> str:
        one, other = (100 * n / self.simulations for n in (self.corrected, self.uncorrected))
        return f"{one:.1f} ({other:.1f})"


def curve_alarms(
    gap: float, begin: int, conversations: int, simulations: int, seed: int, continuous: bool
) -> Alarms:
    """Curves of two contexts over the turns whose difference is `gap` from turn `begin` on."""
    random = np.random.default_rng([seed, conversations, begin])
    corrected = uncorrected = 0
    for _ in range(simulations):
        turns = np.clip(random.negative_binomial(4, 4 / 11, conversations) + 2, 2, 40)
        codes = np.repeat(np.arange(conversations), turns)
        index = np.concatenate([np.arange(1, count + 1) for count in turns])
        lower = np.where(index >= begin, gap, 0.0)
        own = random.normal(0, 0.1, conversations)[codes]
        if continuous:
            gold, made = (own + random.normal(0.4 - less, 0.2, len(codes)) for less in (0, lower))
        else:
            gold, made = (
                (random.random(len(codes)) < np.clip(0.45 + own - less, 0, 1)).astype(float)
                for less in (0, lower)
            )
        values = []
        for k in range(1, index.max() + 1):
            at = index == k
            ids = tuple(map(str, codes[at]))
            ones = np.ones(at.sum(), dtype=int)
            scale = UNBOUNDED if continuous else SHARE
            values.append(
                paired(
                    Clustered(ids, ids, ones, gold[at], None, scale),
                    Clustered(ids, ids, ones, made[at], None, scale),
                )[1]
            )
        corrected += any(p is not None and p < SIGNIFICANT for p in holm(values))
        uncorrected += any(p is not None and p < SIGNIFICANT for p in values)
    return Alarms(corrected, uncorrected, simulations)


def breakdown_alarms(
    gap: float, groups: int, conversations: int, simulations: int, seed: int
) -> Alarms:
    """Breakdowns by topic (of a conversation) where one topic is lower by `gap`."""
    random = np.random.default_rng([seed, conversations, groups])
    corrected = uncorrected = 0
    for _ in range(simulations):
        turns = np.clip(random.negative_binomial(4, 4 / 11, conversations) + 2, 2, 40)
        codes = np.repeat(np.arange(conversations), turns)
        topic = random.integers(0, groups, conversations)
        rate = np.clip(random.normal(0.45, 0.12, conversations) - gap * (topic == 0), 0, 1)
        hits = (random.random(len(codes)) < rate[codes]).astype(float)
        values = [apart_from(hits, codes, topic[codes] == k) for k in range(groups)]
        corrected += any(p is not None and p < SIGNIFICANT for p in holm(values))
        uncorrected += any(p is not None and p < SIGNIFICANT for p in values)
    return Alarms(corrected, uncorrected, simulations)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--conversations", type=int, nargs="+", default=[10, 30, 60, 200])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(words)
    population = Population.of(args.seed)
    print(f"|coverage in %|{'|'.join(f'{n} conversations' for n in args.conversations)}|")
    print(f"|---|{'---:|' * len(args.conversations)}")
    for case in cases(population):
        row = [
            coverage(case, population, count, args.simulations, args.seed)
            for count in args.conversations
        ]
        print(f"|{case.name}|{'|'.join(map(str, row))}|", flush=True)
    print(f"\n|named in % (uncorrected)|{'|'.join(map(str, args.conversations))}|")
    print(f"|---|{'---:|' * len(args.conversations)}")
    for continuous, kind in ((False, "accuracy"), (True, "scores")):
        for gap in (0.0, 0.1, 0.2):
            found = [
                curve_alarms(
                    gap, 1, count, args.simulations * (1 if gap else 2), args.seed, continuous
                )
                for count in args.conversations
            ]
            cells = [f"{one}{'!' if not gap and one.above else ''}" for one in found]
            print(f"|curve of {kind}, gap {gap:g}|{'|'.join(cells)}|", flush=True)
    for gap in (0.0, 0.1, 0.2):
        found = [
            breakdown_alarms(gap, 8, count, args.simulations * (1 if gap else 2), args.seed)
            for count in args.conversations
        ]
        cells = [f"{one}{'!' if not gap and one.above else ''}" for one in found]
        print(f"|8 topics, one lower by {gap:g}|{'|'.join(cells)}|", flush=True)


if __name__ == "__main__":
    main()
