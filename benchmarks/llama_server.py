"""llama.cpp's own server, from the package xllamacpp, until the process is ended.

  python -m benchmarks.llama_server MODEL.gguf --port 8080 [--threads 1] [--slots 16] \\
      [--context 4096] [--cache F16] [--alias NAME]

Every slot keeps the keys and values of its last request, and a request goes to the slot whose
prompt is most like its own: llama.cpp's prompt cache, which is on by default. Replies to a
json_schema are held to it by a grammar.
"""

import argparse
import time
from typing import Any


def settings(
    model: str, port: int, threads: int, slots: int, context: int, cache: str, alias: str
) -> Any:
    """The server's CommonParams. context: tokens a slot. cache: ggml's name of the type of keys and
    values; the attention of F32 stays in F32. alias: the model's name for requests; "": its path.
    """
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path = model
    wanted.port = port
    wanted.n_parallel = slots
    wanted.n_ctx = slots * context
    # Two conversations share the words that their prompts begin with. A new one takes the slot that
    # was idle longest, and not that of a conversation which goes on.
    wanted.slot_prompt_similarity = 0.5
    wanted.n_gpu_layers = 0
    if alias:
        wanted.model_alias = {alias}
    for cpu in (wanted.cpuparams, wanted.cpuparams_batch):
        # Threads that wait for one another do not spin: on a busy machine they would wait for ever.
        cpu.n_threads, cpu.poll = threads, 0
    wanted.warmup = False
    kind = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{cache}")
    wanted.cache_type_k = wanted.cache_type_v = kind
    if cache == "F32":
        wanted.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return wanted


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--cache", choices=["F32", "F16", "BF16"], default="F16")
    parser.add_argument("--alias", default="", metavar="NAME")
    args = parser.parse_args()

    import xllamacpp

    server = xllamacpp.Server(settings(**vars(args)))
    print(server.listening_address, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
