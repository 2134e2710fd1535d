"""The least time that playing conversations can take: every different token of the prompts encoded
once, and all replies decoded in full batches, at the cost that this machine has for each.
"""

import itertools
import time


def clock_of(lm):
    """CPU time of this process, which other people's work on the machine moves little; on a GPU the
    time on the wall.
    """
    return time.process_time if lm.device.type == "cpu" else time.perf_counter


def lower_bound(lm, turns: list, batch_size: int) -> tuple[float, dict[str, float]]:
    """(seconds, what they are made of: tokens asked for in all prompts, unique among them, tokens
    generated, seconds of encoding and of decoding).

    turns: (arguments, reply) of each. Encoding is timed in passes of 64 and of 128 new tokens a
    row, decoding with the cache at the prompts' mean length; the best of three counts.
    """
    import torch

    from csc_tasks.play.rows import Rows
    from csc_tasks.tokens import shared_prefix

    encoded = [lm.tok_batch_encode([asked[0]])[0][0].tolist() for asked, _ in turns]
    # In order, neighbours share what can be shared.
    unique = len(min(encoded)) + sum(
        len(after) - shared_prefix(before, after)
        for before, after in itertools.pairwise(sorted(encoded))
    )
    # A reply that ends by itself has one token more than its text; the first token of each comes
    # with its prompt.
    limits = [asked[1].get("max_gen_toks", 32) for asked, _ in turns]
    generated = sum(
        min(limit, len(lm.tok_encode(reply, add_special_tokens=False)) + 1)
        for limit, (_, reply) in zip(limits, turns, strict=True)
    )
    mean = sum(map(len, encoded)) // len(encoded)
    rows = Rows(lm, batch_size)
    ids = max(encoded, key=len)[:mean]
    clock, everyone = clock_of(lm), list(range(batch_size))

    def shortest(work, before) -> float:
        taken = []
        for _ in range(3):
            before()
            start = clock()
            work()
            if lm.device.type != "cpu":
                torch.cuda.synchronize()
            taken.append(clock() - start)
        return min(taken)

    def again() -> None:
        rows.encode(everyone, [ids] * batch_size)

    def different(width: int) -> list[list[int]]:
        """A prompt a row with `width` tokens of its own, so that no row can take them from
        another.
        """
        vocabulary = lm.model.config.vocab_size
        return [
            [
                *ids[: mean - width],
                *((4 + (row * width + i) % (vocabulary - 4)) for i in range(width)),
            ]
            for row in everyone
        ]

    rows.encode([0], [ids])
    again()
    encoding = (
        unique
        / batch_size
        * min(
            shortest(lambda width=width: rows.encode(everyone, different(width)), again) / width
            for width in (64, 128)
        )
    )
    steps = (generated - len(turns)) / batch_size
    decoding = steps * shortest(lambda: rows.step([7] * batch_size).argmax(-1).tolist(), again)
    parts = {"asked": sum(map(len, encoded)), "unique": unique, "generated": generated}
    return encoding + decoding, parts | {"encoding": encoding, "decoding": decoding}
