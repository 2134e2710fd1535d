"""The learned metrics once more, one pair at a time, in numpy and 64-bit floats, from the weights
on disk and the published formulas.

Nothing here is shared with the code under test but the weights: no batches, no padding, no masks,
no transformers.
"""

import math
from pathlib import Path

import numpy as np


def weights(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor of a saved model."""
    from safetensors.numpy import load_file

    return {
        name: tensor.astype(float)
        for name, tensor in load_file(folder / "model.safetensors").items()
    }


def encoder(tensors, ids, segments, layers, prefix="", first_position=0):
    """Hidden states (length, dimension) after `layers` layers of a BERT (Devlin et al., 2019),
    post-norm, gelu, two heads.

    first_position is 2 in RoBERTa, where 0 and 1 are kept for padding. A BLEURT-20 projects its
    smaller embeddings up.
    """

    def get(name):
        return tensors[f"{prefix}embeddings.{name}_embeddings.weight"]

    positions = np.arange(first_position, first_position + len(ids))
    x = _norm(
        tensors,
        f"{prefix}embeddings.LayerNorm",
        get("word")[ids] + get("position")[positions] + get("token_type")[segments],
        1e-12,
    )
    if f"{prefix}encoder.embedding_projection.weight" in tensors:
        x = _linear(tensors, f"{prefix}encoder.embedding_projection", x)
    for layer in range(layers):
        name = f"{prefix}encoder.layer.{layer}"
        attended = _attend(
            tensors, [f"{name}.attention.self.{part}" for part in ("query", "key", "value")], x, x
        )
        x = _norm(
            tensors,
            f"{name}.attention.output.LayerNorm",
            x + _linear(tensors, f"{name}.attention.output.dense", attended),
            1e-12,
        )
        inner = _gelu(_linear(tensors, f"{name}.intermediate.dense", x))
        x = _norm(
            tensors,
            f"{name}.output.LayerNorm",
            x + _linear(tensors, f"{name}.output.dense", inner),
            1e-12,
        )
    return x


def bertscore(reply, reference):
    """F1 (Zhang et al., 2020, section 3) of hidden states (length, dimension) with [CLS] first and
    [SEP] last.

    Precision: for every reply token the best cosine with any reference token, averaged. Recall: the
    other way round. The first and last token can be the best match of another but have no share in
    the average.
    """
    reply, reference = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (reply, reference))
    cosines = reply @ reference.T
    precision, recall = cosines.max(axis=1)[1:-1].mean(), cosines.max(axis=0)[1:-1].mean()
    return 2 * precision * recall / (precision + recall)


def bleurt(tensors, reference, reply, start, separator, layers=2):
    """The rating: first token's state, dense layer and tanh (BERT's pooler), one linear output
    (Sellam et al., 2020, section 4).
    """
    ids = [start, *reference, separator, *reply, separator]
    segments = [0] * (len(reference) + 2) + [1] * (len(reply) + 1)
    first = encoder(tensors, ids, segments, layers, prefix="bleurt.")[0]
    return _linear(
        tensors, "classifier", np.tanh(_linear(tensors, "bleurt.pooler.dense", first))
    ).item()


def bartscore(tensors, source, target, layers=2, start=2):
    """Mean log-probability of the target's tokens, special ones included, given the source (Yuan et
    al., 2021, equation 2; weights 1/m).

    The decoder reads the start token and then the target, and at each place says how likely the
    target's token there is.
    """
    read, written = _bart(tensors, "encoder", source, layers), [start, *target[:-1]]
    logits = (
        _bart(tensors, "decoder", written, layers, read) @ tensors["model.shared.weight"].T
        + tensors["final_logits_bias"]
    )
    logs = logits - logits.max(axis=1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
    return logs[np.arange(len(target)), target].mean()


def _bart(tensors, side, ids, layers, read=None):
    """Hidden states of BART's encoder, or of its decoder when `read`, the encoder's states, are
    given (Lewis et al., 2020).
    """
    prefix = f"model.{side}"
    # Its table of positions has two rows in front that nothing uses.
    x = (
        tensors["model.shared.weight"][ids]
        + tensors[f"{prefix}.embed_positions.weight"][2 : 2 + len(ids)]
    )
    x = _norm(tensors, f"{prefix}.layernorm_embedding", x, 1e-5)
    for layer in range(layers):
        name = f"{prefix}.layers.{layer}"
        for block, other in (("self_attn", x), ("encoder_attn", read)):
            if other is not None:
                parts = [f"{name}.{block}.{part}_proj" for part in "qkv"]
                attended = _attend(
                    tensors, parts, x, other, causal=read is not None and block == "self_attn"
                )
                x = _norm(
                    tensors,
                    f"{name}.{block}_layer_norm",
                    x + _linear(tensors, f"{name}.{block}.out_proj", attended),
                    1e-5,
                )
        inner = _linear(tensors, f"{name}.fc2", _gelu(_linear(tensors, f"{name}.fc1", x)))
        x = _norm(tensors, f"{name}.final_layer_norm", x + inner, 1e-5)
    return x


def _linear(tensors, name, x):
    return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]


def _norm(tensors, name, x, epsilon):
    centred = x - x.mean(axis=-1, keepdims=True)
    return (
        centred
        / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)
        * tensors[f"{name}.weight"]
        + tensors[f"{name}.bias"]
    )


def _gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def _attend(tensors, names, x, y, heads=2, causal=False):
    """What x's rows gather from y's (Vaswani et al., 2017); `causal`: from none that stands further
    on.
    """
    queries, keys, values = (
        _linear(tensors, name, rows) for name, rows in zip(names, (x, y, y), strict=True)
    )
    out = []
    for q, k, v in zip(
        *(np.split(part, heads, axis=1) for part in (queries, keys, values)), strict=True
    ):
        scores = q @ k.T / math.sqrt(q.shape[1])
        if causal:
            scores[np.triu_indices(len(x), 1)] = -np.inf
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        out.append(shares / shares.sum(axis=1, keepdims=True) @ v)
    return np.concatenate(out, axis=1)
