"""Whether a merged model is the adapter on its base: logits on a few probes, and weights bit by bit.

What a merge can get wrong shows in the logits at once: a matrix that is shared and was changed in one
of its two uses, a scale left out, a layer that was passed over. So the same tokens go through base plus
adapter, through the merged weights and through what was written, and must give the same logits up to
the rounding of their number format.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from csc_tasks import corpora
from csc_tasks.errors import ModelError
from trainers.rendering import Rendering
from trainers.rows import asked_of

PROBE_TOKENS = 96
"""The length of a probe; four probes of a 7-billion model take a CPU about a minute."""

TOLERANCE = {"float32": 1e-3, "bfloat16": 0.2}
"""Largest difference (see Agreement) by the format that weights were rounded to.

Merging in float32 differs by about 1e-6; a shared matrix that was merged wrongly by 0.3 to 1.2. Rounding
to bfloat16 differs by 0.003 to 0.05, and more where a router then chooses another expert.
"""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far logits are from the adapter's.

    difference: root mean square of what they differ by, over that of the adapter's logits around their
    mean at each position (0: the same, about 1.4: unrelated). argmax: the share of positions whose
    likeliest token is the same. tokens: how many positions were compared.
    """

    difference: float
    argmax: float
    tokens: int

    def __str__(self) -> str:
        return f"logits differ by {self.difference:.2g}, likeliest token the same at {self.argmax:.1%}"


def make_probes(
    rendering: Rendering, style: str, trained_tokens: Sequence[int], positions: int | None
) -> list[list[int]]:
    """Token ids to compare on: the end of a conversation in each language, and random tokens.

    `trained_tokens` (those whose embeddings the adapter trains one by one) open the random ones.
    """
    import torch

    length = min(PROBE_TOKENS, positions or PROBE_TOKENS)
    probes = []
    conversations = corpora.load("demo", "csconv", "test").items
    for language in ("en", "zh"):
        conversation = next(item for item in conversations if item.language == language)
        last = rendering.exchanges(asked_of(conversation, style)[-1:])[0]
        probes.append((last.prompt + last.target)[-length:])
    # Marks are left out: those of images, in models that see, want a picture beside them.
    marks = set(rendering.tokenizer.all_special_ids)
    ordinary = [i for i in range(len(rendering.tokenizer)) if i not in marks]
    drawn = torch.randint(len(ordinary), (2, length), generator=torch.Generator().manual_seed(0))
    rows = [[ordinary[i] for i in row] for row in drawn.tolist()]
    rows[0] = [*trained_tokens, *rows[0]][:length]
    return probes + rows


def logits(model, probes: Sequence[Sequence[int]]) -> list:
    """The model's logits for each probe, one tensor (positions, vocabulary) in float32 each."""
    import torch

    model.eval()
    with torch.no_grad():
        return [model(input_ids=torch.tensor([ids])).logits[0].float() for ids in probes]


def compare(wanted: Sequence, found: Sequence) -> Agreement:
    """How far the logits `found` are from those `wanted`."""
    import torch

    apart = spread = same = tokens = 0.0
    for one, other in zip(wanted, found, strict=True):
        if one.shape != other.shape:
            return Agreement(float("inf"), 0.0, 0)
        apart += torch.sum((one - other).double() ** 2).item()
        spread += torch.sum((one - one.mean(-1, keepdim=True)).double() ** 2).item()
        same += torch.sum(one.argmax(-1) == other.argmax(-1)).item()
        tokens += len(one)
    return Agreement((apart / spread) ** 0.5 if spread else float("nan"), same / tokens, int(tokens))


def require_agreement(what: str, agreement: Agreement, number_format: str) -> None:
    """Raise ModelError unless the difference is within the tolerance of that format (NaN is not)."""
    allowed = TOLERANCE[number_format]
    if not agreement.difference <= allowed:
        raise ModelError(
            f"nothing is written: {what} is not base and adapter ({agreement}; allowed in {number_format}: "
            f"{allowed:g}); score and serve base and adapter instead"
        )


def require_same_weights(written: Mapping, loaded: Mapping) -> None:
    """Raise ModelError unless what a folder loads as is bit by bit what was written into it."""
    if different := sorted(_differences(written, loaded)):
        more = f" and {len(different) - 3} more" if len(different) > 3 else ""
        raise ModelError(
            "nothing is written: transformers does not load the merged weights as they were saved "
            f"({', '.join(different[:3])}{more}); score and serve base and adapter instead"
        )


def _differences(written: Mapping, loaded: Mapping) -> Iterator[str]:
    import torch

    yield from set(written) ^ set(loaded)
    for name in set(written) & set(loaded):
        if not torch.equal(written[name].cpu(), loaded[name].cpu()):
            yield name
