"""Whether a merged model is the adapter on its base: logits on a few probes, weights bit by bit.

What a merge can get wrong shows in the logits at once: a matrix that is shared and was changed in
one of its two uses, a scale left out, a layer that was passed over. So the same tokens go through
base plus adapter, through the merged weights and through what was written, and must give the same
logits up to the rounding of their number format.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from csc_tasks import corpora
from csc_tasks.errors import ModelError
from csc_tasks.prompts import TEXT
from trainers.rendering import Rendering
from trainers.rows import Asked, asked_of

PROBE_TOKENS = 96
"""The length of a probe; four probes of a 7-billion model take a CPU about a minute."""

TOLERANCE = {"float32": 1e-3, "bfloat16": 0.2}
"""Largest difference (see Agreement) by the format that weights were rounded to.

Merging in float32 differs by about 1e-6; a shared matrix that was merged wrongly by 0.3 to 1.2.
Rounding to bfloat16 differs by 0.003 to 0.05, and more where a router then chooses another expert.
"""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far logits are from the adapter's.

    difference: root mean square of what they differ by, over that of the adapter's logits around
    their mean at each position (0: the same, about 1.4: unrelated). argmax: the share of positions
    whose likeliest token is the same. positions: how many were compared.
    """

    difference: float
    argmax: float
    positions: int

    def __str__(self) -> str:
        same = f"{self.argmax:.1%} of {self.positions} positions"
        return f"logits differ by {self.difference:.2g}, the likeliest token is the same at {same}"


class MergeCheck:
    """Compares models with an adapter on its base, on `probes` (rows of token ids), and tells."""

    def __init__(self, probes: Sequence[Sequence[int]], say: Callable[[str], None]) -> None:
        self.probes = probes
        self.say = say
        self.measured: dict[str, Agreement] = {}
        self._expected: list = []

    def logits(self, model) -> list:
        """The model's logits for each probe, one tensor (positions, vocabulary) in float32 each."""
        import torch

        model.eval()
        with torch.no_grad():
            return [model(input_ids=torch.tensor([ids])).logits[0].float() for ids in self.probes]

    def expect(self, model) -> None:
        """Take this model, the adapter on its base, for what all others are compared with."""
        self._expected = self.logits(model)

    def require(self, what: str, logits: Sequence, number_format: str) -> None:
        """Raise ModelError unless `logits` are as expected, within the format's tolerance.

        NaN never is.
        """
        agreement = compare(self._expected, logits)
        self.measured[what] = agreement
        allowed = TOLERANCE[number_format]
        if not agreement.difference <= allowed:
            raise ModelError(
                f"nothing is written: {what} does not answer as base and adapter do ({agreement}; "
                f"a difference of {allowed:g} is allowed); score and serve base and adapter instead"
            )
        self.say(f"{what}: {agreement}")

    def results(self) -> dict[str, dict]:
        """What was measured, for a record."""
        return {what: asdict(agreement) for what, agreement in self.measured.items()}


def compare(wanted: Sequence, logits: Sequence) -> Agreement:
    """How far `logits` are from those `wanted`.

    Both hold one tensor (positions, vocabulary) for each probe.
    """
    import torch

    if any(one.shape != other.shape for one, other in zip(wanted, logits, strict=True)):
        return Agreement(float("inf"), 0.0, 0)
    apart = spread = 0.0
    same, positions = 0, 0
    for one, other in zip(wanted, logits, strict=True):
        apart += torch.sum((one - other).double() ** 2).item()
        spread += torch.sum((one - one.mean(-1, keepdim=True)).double() ** 2).item()
        same += int(torch.sum(one.argmax(-1) == other.argmax(-1)))
        positions += len(one)
    return Agreement(
        (apart / spread) ** 0.5 if spread else float("nan"), same / positions, positions
    )


def demo_turns(style: str, form: str = TEXT) -> list[Asked]:
    """Prompt and target of a last turn in each language, from the embedded corpus."""
    conversations = corpora.load("demo", "csconv", "test").items
    first = [
        next(item for item in conversations if item.language == language)
        for language in sorted({item.language for item in conversations})
    ]
    return [asked_of(conversation, style, form=form)[-1] for conversation in first]


def make_probes(
    rendering: Rendering,
    asked: Sequence[Asked],
    trained_tokens: Sequence[int],
    positions: int | None,
) -> list[list[int]]:
    """Token ids to compare on: the end of each prompt and its target, and random tokens.

    `trained_tokens` (those whose embeddings the adapter trains one by one) open the random ones.
    `positions`: how many tokens the model reads, where that is limited.
    """
    import torch

    length = min(PROBE_TOKENS, positions or PROBE_TOKENS)
    probes = [(one.prompt + one.target)[-length:] for one in rendering.exchanges(asked)]
    # Marks are left out: those of images, in models that see, want a picture beside them.
    marks = set(rendering.tokenizer.all_special_ids)
    ordinary = [i for i in range(len(rendering.tokenizer)) if i not in marks]
    drawn = torch.randint(len(ordinary), (2, length), generator=torch.Generator().manual_seed(0))
    rows = [[ordinary[i] for i in row] for row in drawn.tolist()]
    rows[0] = [*trained_tokens, *rows[0]][:length]
    return probes + rows


def require_same_weights(written: Mapping, loaded: Mapping) -> None:
    """Raise ModelError unless what a folder loads as is bit by bit what was written into it."""
    different = sorted(differing_weights(written, loaded))
    if different:
        more = f" and {len(different) - 3} more" if len(different) > 3 else ""
        raise ModelError(
            "nothing is written: transformers does not load the merged weights as they were saved "
            f"({', '.join(different[:3])}{more}); score and serve base and adapter instead"
        )


def differing_weights(written: Mapping, loaded: Mapping) -> Iterator[str]:
    """The names of tensors that are not bit by bit the same, or only on one side."""
    import torch

    yield from set(written) ^ set(loaded)
    for name in set(written) & set(loaded):
        if not torch.equal(written[name].cpu(), loaded[name].cpu()):
            yield name
