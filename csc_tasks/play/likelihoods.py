"""Log-likelihoods of several continuations of one prompt: their tokens as lm_eval takes them, and
their sums.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from csc_tasks.play.renderer import Renderer
from csc_tasks.tokens import shared_prefix

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def option_tokens(
    renderer: Renderer, prompt: str, options: Sequence[str]
) -> tuple[list[int], list[list[int]]]:
    """The prompt's tokens and each option's, split where lm_eval splits them.

    lm_eval encodes prompt and option together, cuts where the prompt alone would end, and counts
    the prompt's last white space to the option. Here only the prompt's last line is encoded with
    each option, where that line alone gives the same tokens as in the prompt.

    Where a token reaches over that cut, lm_eval would leave it out of the option, or leave nothing.
    Then all options are cut where their tokens, and the prompt's, first differ.
    """
    lm = renderer.lm
    context = prompt.rstrip()
    space = prompt[len(context) :]
    tokens = renderer.tokens(context)
    line = context[context.rfind("\n") + 1 :]
    alone = lm.tok_encode(line, add_special_tokens=False)
    if alone and tokens[-len(alone) :] == alone:
        joined = [
            lm.tok_encode(line + space + option, add_special_tokens=False) for option in options
        ]
        if all(extends(one, alone) for one in joined):
            return tokens, [one[len(alone) :] for one in joined]
    joined = [renderer.tokens(context + space + option) for option in options]
    common = len(tokens)
    if not all(extends(one, tokens) for one in joined):
        common = min(shared_prefix(tokens, one) for one in joined)
        # Every option keeps a token of its own.
        common = min(common, *(len(one) - 1 for one in joined))
    return tokens[:common], [one[common:] for one in joined]


def extends(joined: Sequence[int], tokens: Sequence[int]) -> bool:
    """Whether `joined` is `tokens` and more."""
    return len(joined) > len(tokens) and list(joined[: len(tokens)]) == list(tokens)


def likelihoods(
    logits: "Tensor", options: Sequence[list[int]], dtype: "torch.dtype | None" = None
) -> list[tuple[float, bool]]:
    """(log-likelihood, whether every token was the likeliest) of each option.

    logits: (1 + tokens, vocabulary); first those after the prompt, then those after each option's
    tokens but its last.
    """
    import torch

    scores = torch.log_softmax(logits, dim=-1, dtype=dtype)
    answers, start = [], 1
    for tokens in options:
        steps = scores[[0, *range(start, start + len(tokens) - 1)]]
        start += len(tokens) - 1
        wanted = torch.tensor(tokens, device=steps.device)
        value = steps.gather(1, wanted[:, None]).sum()
        answers.append((float(value), bool((steps.argmax(-1) == wanted).all())))
    return answers
