"""Which units are rated: a seeded sample, stratified by topic and stage, that depends on the corpus
and the seed alone.

It does not depend on who is rated: models that were asked about the same conversations get the same
sample, today or next year.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from leaderboard.judging.units import Unit


def sample(units: Iterable[Unit], conversations: int, turns: int, seed: int) -> list[Unit]:
    """At most `turns` units of each of at most `conversations` conversations, in a seeded order.

    Conversations are shared out over (language, topic) in proportion to their number, remainders to
    the largest rest. Within one, those turns are taken whose stage is furthest behind its share of
    the whole corpus so far. Equal claims are settled by a hash of the id.
    """
    by_conversation: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        by_conversation[unit.conversation_id].append(unit)
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for conversation_id, own in by_conversation.items():
        strata[own[0].language, own[0].topic].append(conversation_id)
    wanted = shares({name: len(ids) for name, ids in strata.items()}, conversations)
    chosen = [
        i
        for name, ids in strata.items()
        for i in sorted(ids, key=lambda i: order(seed, i))[: wanted[name]]
    ]
    stages = Counter(unit.stage for own in by_conversation.values() for unit in own)
    whole = sum(stages.values())
    taken: Counter[str] = Counter()
    drawn: list[Unit] = []
    # Those with the least choice first: what they force on the sample, the others can make up for.
    for conversation_id in sorted(
        chosen, key=lambda i: (len({unit.stage for unit in by_conversation[i]}), order(seed, i))
    ):
        left = sorted(by_conversation[conversation_id], key=lambda unit: order(seed, unit.id))
        for _ in range(min(turns, len(left))):
            behind = [
                stages[unit.stage] / whole * (len(drawn) + 1) - taken[unit.stage] for unit in left
            ]
            unit = left.pop(max(range(len(left)), key=lambda i: (behind[i], -i)))
            taken[unit.stage] += 1
            drawn.append(unit)
    return sorted(drawn, key=lambda unit: order(seed, unit.id))


def shares(sizes: Mapping[object, int], total: int) -> dict[object, int]:
    """`total` (at most all) shared out in proportion to `sizes`, by largest remainders; equal
    remainders go to the larger group.
    """
    whole = sum(sizes.values())
    total = min(total, whole)
    exact = {name: size * total / whole for name, size in sizes.items()}
    parts = {name: int(share) for name, share in exact.items()}
    rest = sorted(sizes, key=lambda name: (parts[name] - exact[name], -sizes[name], str(name)))
    for name in rest[: total - sum(parts.values())]:
        parts[name] += 1
    return parts


def order(seed: int, text: str) -> str:
    """A key that sorts ids at random, the same way for the same seed."""
    return hashlib.sha256(f"{seed}\n{text}".encode(errors="surrogatepass")).hexdigest()
