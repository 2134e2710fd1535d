"""A tiny random Llama in a GGUF file, with a tokenizer of bytes and a chat template in it."""

from pathlib import Path

from tests.support.models import CHATML

HIDDEN, INNER, LAYERS, HEADS, KV_HEADS = 32, 64, 2, 2, 1


def make_gguf(
    file: Path,
    seed: int = 0,
    positions: int = 8192,
    split: str = "gpt-2",
    end: int = 2,
    turn: int | None = None,
) -> Path:
    """Write the file as llama.cpp's converter lays one out. Its matrices are in Q8_0, whose blocks
    of 32 a hidden size of 32 holds. split: what its vocabulary splits texts by. end, turn: the
    tokens that end texts and turns.
    """
    import gguf
    import numpy as np
    from tokenizers import pre_tokenizers

    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    # Two spaces are a token too, by which it shows how texts are split.
    tokens = [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġt", "ĠĠ"]
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_name("tiny")
    writer.add_context_length(positions)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(specials) + [1] * (len(tokens) - len(specials)))
    writer.add_token_merges(["Ġ t", "Ġ Ġ"])
    if split:
        writer.add_tokenizer_pre(split)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(end)
    if turn is not None:
        writer.add_eot_token_id(turn)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML)
    draw = np.random.default_rng(seed)

    def matrix(name: str, rows: int, columns: int, size: float = 0.2) -> None:
        weights = (size * draw.standard_normal((rows, columns))).astype(np.float32)
        kind = gguf.GGMLQuantizationType.Q8_0
        packed = gguf.quants.quantize(weights, kind)
        writer.add_tensor(name, packed, raw_shape=packed.shape, raw_dtype=kind)

    def norm(name: str) -> None:
        writer.add_tensor(name, np.ones(HIDDEN, dtype=np.float32))

    # Spread, so that greedy choices do not hang on the last bit of a float.
    matrix("token_embd.weight", len(tokens), HIDDEN, 1.0)
    norm("output_norm.weight")
    for number in range(LAYERS):
        block = f"blk.{number}"
        norm(f"{block}.attn_norm.weight")
        norm(f"{block}.ffn_norm.weight")
        matrix(f"{block}.attn_q.weight", HIDDEN, HIDDEN)
        matrix(f"{block}.attn_k.weight", HIDDEN * KV_HEADS // HEADS, HIDDEN)
        matrix(f"{block}.attn_v.weight", HIDDEN * KV_HEADS // HEADS, HIDDEN)
        matrix(f"{block}.attn_output.weight", HIDDEN, HIDDEN)
        matrix(f"{block}.ffn_gate.weight", INNER, HIDDEN)
        matrix(f"{block}.ffn_up.weight", INNER, HIDDEN)
        matrix(f"{block}.ffn_down.weight", HIDDEN, INNER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
