"""Which units are rated: a seeded sample, stratified by topic and stage, that depends on the corpus
and the seed alone.

It does not depend on who is rated: models that were asked about the same conversations get the same
sample, today or next year. Samples are nested: more conversations, more turns of each, or both,
only add units, so that whoever rates 40 conversations rates the 30 of an earlier sample again.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from leaderboard.judging.units import Unit

RULE = 2
"""The version of the rule that draws; it stands in a rating's signature. 1 was not nested."""


def sample(units: Iterable[Unit], conversations: int, turns: int, seed: int) -> list[Unit]:
    """At most `turns` units of each of at most `conversations` conversations, in a seeded order.

    Conversations are taken in an order in which (language, topic) stays in proportion
    (`in_proportion`). Of each, those turns are taken whose stage is furthest behind its share of
    the whole corpus so far, one turn of every conversation before the second of any. Equal claims
    are settled by a hash of the id.
    """
    drawn = [unit for units in _rounds(units, conversations, turns, seed) for unit in units]
    return sorted(drawn, key=lambda unit: order(seed, unit.id))


def sample_units(units: Sequence[Unit], total: int, seed: int) -> list[Unit]:
    """`total` units (at most all), spread over as many conversations as possible: one of each
    before the second of any. In a seeded order, and nested like `sample`.
    """
    drawn = [unit for units in _rounds(units, len(units), total, seed, total) for unit in units]
    return sorted(drawn[:total], key=lambda unit: order(seed, unit.id))


def in_proportion(sizes: Mapping[tuple[str, ...], int], total: int, seed: int) -> list:
    """Names of groups, `total` (at most all) of them, each as often as it has members to take: the
    next one in line as groups of these `sizes` take turns.

    By Sainte-Laguë's (Webster's) divisors, so that every beginning of the line is in proportion
    and a longer line only goes on. Of equal claims the larger group comes first, then by a hash.
    """
    taken = dict.fromkeys(sizes, 0)
    line = []
    for _ in range(min(total, sum(sizes.values()))):
        following = min(
            sizes,
            key=lambda name: (
                -Fraction(sizes[name], 2 * taken[name] + 1),
                -sizes[name],
                order(seed, "/".join(name)),
            ),
        )
        taken[following] += 1
        line.append(following)
    return line


def order(seed: int, text: str) -> str:
    """A key that sorts ids at random, the same way for the same seed."""
    return hashlib.sha256(f"{seed}\n{text}".encode(errors="surrogatepass")).hexdigest()


def _rounds(
    units: Iterable[Unit], conversations: int, turns: int, seed: int, enough: int | None = None
) -> list[list[Unit]]:
    """The first unit of every conversation drawn, then the second of each, and so on; no round is
    begun after `enough` units.

    What is drawn of a conversation depends on the conversations before it and on earlier rounds,
    never on how many of either there will be: this is what nests the samples.
    """
    by_conversation: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        by_conversation[unit.conversation_id].append(unit)
    whole = Counter(unit.stage for own in by_conversation.values() for unit in own)
    left = {
        id_: sorted(by_conversation[id_], key=lambda unit: order(seed, unit.id))
        for id_ in _conversations(by_conversation, conversations, seed)
    }
    drawn: dict[str, list[Unit]] = {id_: [] for id_ in left}
    rounds: list[list[Unit]] = []
    for _ in range(turns):
        taken: Counter[str] = Counter()
        latest = []
        for id_, candidates in left.items():
            taken.update(unit.stage for unit in drawn[id_])
            if not candidates:
                continue
            unit = candidates.pop(_furthest_behind(candidates, whole, taken))
            taken[unit.stage] += 1
            drawn[id_].append(unit)
            latest.append(unit)
        rounds.append(latest)
        if not latest or (enough is not None and sum(map(len, rounds)) >= enough):
            break
    return rounds


def _conversations(
    by_conversation: Mapping[str, Sequence[Unit]], total: int, seed: int
) -> list[str]:
    """At most `total` conversation ids in the order in which they are drawn."""
    strata: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for id_, own in by_conversation.items():
        strata[own[0].language, own[0].topic].append(id_)
    # From the end, where pop takes them.
    waiting = {
        name: sorted(ids, key=lambda id_: order(seed, id_), reverse=True)
        for name, ids in strata.items()
    }
    sizes = {name: len(ids) for name, ids in strata.items()}
    return [waiting[name].pop() for name in in_proportion(sizes, total, seed)]


def _furthest_behind(candidates: Sequence[Unit], whole: Counter[str], taken: Counter[str]) -> int:
    """The position of the first candidate whose stage lacks most to its share of `whole`."""
    share = Fraction(taken.total() + 1, whole.total())
    return max(
        range(len(candidates)),
        key=lambda i: (
            share * whole[candidates[i].stage] - taken[candidates[i].stage],
            -i,
        ),
    )
