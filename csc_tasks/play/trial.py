"""Load a model as lm_eval does and try lockstep play with it; the last line printed is JSON.

    python -m csc_tasks.play.trial '{"pretrained": "MODEL"}' TOKENS

Run by `csc doctor --model MODEL --load` in a process of its own, because only lm_eval loads this
package. The model's arguments are lm_eval's, as JSON. TOKENS: how long the prompts are that it is
tried with.
"""

import json
import sys

from csc_tasks.play import eligible


def main(arguments: str, tokens: str) -> None:
    """Print why (a reason against lockstep play, or null), memory (bytes of weights) and device."""
    import torch
    from lm_eval.models.huggingface import HFLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    lm = HFLM(**json.loads(arguments), device=device)
    why = eligible.why_plain(lm, [], False, int(tokens))
    memory = sum(tensor.nbytes for tensor in (*lm.model.parameters(), *lm.model.buffers()))
    print(json.dumps({"why": why, "memory": memory, "device": str(lm.device)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
