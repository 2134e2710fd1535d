"""What the pilot of a csconv build says of the whole, where every topic has room for so many and no
more.

The candidates behind the pilot are taken to be as those in it: the same share passes the check, the
same share of rewrites is kept and, where a source names no topics, the topics have the same shares.
Every combination of the shares' bounds is played through, and the extremes are the interval.
"""

from argparse import Namespace
from collections import Counter
from collections.abc import Mapping
from itertools import product

from builders.csconv.candidates import Candidates
from builders.csconv.maker import Made
from builders.outlook import Outlook, Part, Range, share
from csc_tasks.framework import TOPICS

# How finely the candidates are run through; coarser than one candidate from this many on.
STEPS = 2_000


def seen(made: Made, candidates: Candidates, args: Namespace, pilot: int | None) -> Outlook | None:
    """The outlook after the pilot; None after a whole build."""
    if pilot is None:
        return None
    ahead = Counter(place.topic for place in candidates.places()[pilot:])
    chosen, kept = made.topics.total(), len(made.kept)
    passed = made.looked_at - made.dropped_before.total()
    behind = ahead.total()
    # As in `successes_of`: the candidates ahead have their own chance.
    checks, rewrites = (
        share(good, n, n * behind / (n + behind) if n and behind else None)
        for good, n in ((passed, made.looked_at), (kept, chosen))
    )
    shares = {topic: share(made.topics[topic], chosen) for topic in TOPICS}
    futures = [
        _future(made, ahead, args.per_topic, args.limit, check, rewrite, shares, bound)
        for check, rewrite, bound in product(checks, rewrites, range(3))
    ]
    # The fourteenth of the 27 combinations is that of the middles.
    checked, rewritten, rows = (
        Range(min(values), values[len(values) // 2], max(values))
        for values in zip(*futures, strict=True)
    )
    labelled = Range(*(min(args.fidelity, bound) for bound in rows))
    parts = [Part(made.looked_at, checked, ("check", "topic"))]
    parts.append(Part(chosen, rewritten, ("rewrite", "judge")))
    if args.fidelity:
        parts.append(Part(min(args.fidelity, kept), labelled, ("label",)))
    dropped = made.dropped_before + made.dropped_after
    return Outlook("conversations", made.looked_at, kept, rows, tuple(parts), dropped=dropped)


def _future(
    made: Made,
    ahead: Mapping[str, int],
    per_topic: int,
    limit: int | None,
    check: float,
    rewrite: float,
    shares: Mapping[str, Range],
    bound: int,
) -> tuple[float, float, float]:
    """How many are checked, rewritten and kept in the whole, with these shares."""
    checked, chosen, kept = float(made.looked_at), float(made.topics.total()), float(len(made.kept))
    room = {topic: float(per_topic - made.topics[topic]) for topic in TOPICS}
    steps = min(STEPS, sum(ahead.values()))
    for _ in range(steps):
        if (limit is not None and kept >= limit) or not any(left > 0 for left in room.values()):
            break
        taken = 0.0
        for topic, number in ahead.items():
            tried = number / steps
            if topic:
                # Nobody of a full topic is checked.
                tried = min(tried, room[topic] / check) if check else tried
                checked += tried
                wanted = {topic: tried * check}
            else:
                checked += tried
                wanted = {name: tried * check * shares[name][bound] for name in TOPICS}
                # Bounds of shares do not sum to 1.
                most, total = tried * check, sum(wanted.values())
                if total > most:
                    wanted = {name: value * most / total for name, value in wanted.items()}
            for name, value in wanted.items():
                value = max(0.0, min(value, room[name]))
                room[name] -= value
                taken += value
        chosen += taken
        kept += taken * rewrite
    if limit is not None:
        kept = min(kept, limit)
    return checked, chosen, kept
