"""Log-likelihoods of several continuations of one prompt: their tokens as lm_eval takes them, and
their sums.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from csc_tasks.play.requests import Renderer

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
    """
    lm = renderer.lm
    context = prompt.rstrip()
    space = prompt[len(context) :]
    tokens = renderer.tokens(context)
    line = context[context.rfind("\n") + 1 :]
    alone = lm.tok_encode(line, add_special_tokens=False)
    if alone and tokens[-len(alone) :] == alone:
        return tokens, [
            lm.tok_encode(line + space + option, add_special_tokens=False)[len(alone) :]
            for option in options
        ]
    return tokens, [renderer.tokens(context + space + option)[len(tokens) :] for option in options]


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
