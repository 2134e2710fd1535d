"""The keys of a results file that may leave the machine, with what becomes of their values: a table
for each part of the file. csc_tasks/runs/public.py goes through them.
"""

from collections.abc import Mapping

from csc_tasks.runs.model_arguments import CREDENTIALS
from csc_tasks.runs.public_values import (
    Kind,
    counts,
    date,
    digest,
    hub_id_or_last_component,
    names,
    number,
    places,
    revision,
    scalar,
    scalars,
    signatures,
    switches,
    text,
    texts,
    words,
)

Table = Mapping[str, Kind]
OTHER = "csc_other"
"""Where a public file keeps the hash of the settings that were left out of it."""


def _all(kind: Kind, *names: str) -> dict[str, Kind]:
    return dict.fromkeys(names, kind)


GENERATION: Table = {
    **_all(scalar, "do_sample", "temperature", "top_p", "top_k", "min_p", "typical_p"),
    **_all(scalar, "max_gen_toks", "max_tokens", "max_new_tokens", "max_completion_tokens"),
    **_all(scalar, "max_length", "min_tokens", "min_new_tokens", "repetition_penalty"),
    **_all(scalar, "presence_penalty", "frequency_penalty", "length_penalty", "seed", "num_beams"),
    **_all(scalar, "num_return_sequences", "no_repeat_ngram_size", "early_stopping", "n"),
    **_all(scalar, "reasoning_effort", "enable_thinking", "skip_special_tokens"),
    **_all(scalar, "renormalize_logits", "ignore_eos", "best_of", "penalty_alpha"),
    **_all(texts, "until", "stop"),
    **_all(switches, "chat_template_kwargs"),
}
"""Of gen_kwargs, and of a task's generation_kwargs."""

MODEL_ARGUMENTS: Table = {
    **_all(hub_id_or_last_component, "pretrained", "peft", "delta", "model", "path", "engine"),
    **_all(hub_id_or_last_component, "tokenizer", "gguf_file", "lora_local_path", "base_model"),
    **_all(hub_id_or_last_component, "corpus", "train"),
    **_all(revision, "revision", "peft_revision", "tokenizer_revision", "code_revision"),
    **_all(scalar, "dtype", "softmax_dtype", "mixed_precision_dtype", "kv_cache_dtype", "backend"),
    **_all(scalar, "quantization", "load_in_4bit", "load_in_8bit", "bnb_4bit_compute_dtype"),
    **_all(scalar, "bnb_4bit_quant_type", "bnb_4bit_use_double_quant", "gptq", "autogptq", "awq"),
    **_all(scalar, "gptqmodel", "load_format", "attn_implementation", "subfolder", "variant"),
    **_all(
        scalar, "add_bos_token", "prefix_token_id", "max_length", "max_model_len", "max_gen_toks"
    ),
    **_all(scalar, "max_ctx_len", "truncation", "use_fast_tokenizer", "truncation_side"),
    **_all(scalar, "padding_side", "tokenizer_mode", "logits_cache", "seed", "temperature"),
    **_all(scalar, "enable_thinking", "reasoning_effort", "max_lora_rank", "low_cpu_mem_usage"),
    **_all(scalar, "context_length", "n_ctx", "escape_until", "eos_token_id", "pad_token_id"),
    **_all(scalar, "enforce_eager", "enable_prefix_caching", "enable_chunked_prefill"),
    **_all(scalar, "max_num_seqs", "max_num_batched_tokens", "disable_custom_all_reduce"),
    **_all(scalar, "pipeline_parallel_size", "expert_parallel_size", "use_tqdm", "chunked_prefill"),
    **_all(scalar, "mem_fraction_static", "tp_size", "dp_size", "stream", "logprobs"),
    **_all(text, "eos_string", "think_start_token", "think_end_token"),
    **_all(switches, "chat_template_args", "chat_template_kwargs"),
    # How it ran (csc_tasks/runs/model_arguments.py), as far as it names no place.
    **_all(scalar, "device", "batch_size", "max_batch_size", "num_concurrent", "max_retries"),
    **_all(scalar, "timeout", "tokenized_requests", "tokenizer_backend", "parallelize"),
    **_all(scalar, "device_map", "trust_remote_code", "gpu_memory_utilization", "swap_space"),
    **_all(scalar, "tensor_parallel_size", "data_parallel_size", "verify_certificate"),
}
"""Of config.model_args, which lm_eval copies into each task's metadata."""

SETTINGS: Table = {
    **_all(hub_id_or_last_component, "csc_corpus", "csc_qa_corpus", "csc_bertscore_model"),
    **_all(hub_id_or_last_component, "csc_evidence"),
    **_all(hub_id_or_last_component, "csc_bleurt_model", "csc_bartscore_model", "csc_cosine_model"),
    **_all(revision, "csc_revision", "csc_qa_revision"),
    **_all(scalar, "csc_prompt", "csc_language", "csc_subset", "csc_qa_variant", "csc_play"),
    **_all(scalar, "csc_qa_reference", "csc_window", "csc_max_failed", "csc_think_tokens"),
    **_all(scalar, "csc_metric_device", "csc_metric_batch_size", "csc_bertscore_layer"),
    **_all(scalar, "csc_repeats", "csc_bad_rows", "csc_passages", "csc_format", "csc_reask"),
    **_all(hub_id_or_last_component, "csc_customer"),
    **_all(scalar, "csc_customer_temperature", "csc_customer_seed", "csc_max_turns"),
    **_all(scalar, "csc_customer_price", "csc_customer_max_requests", "csc_customer_max_cost"),
    **_all(date, "csc_date"),
    **_all(texts, "csc_turns"),
    **_all(names, "csc_metrics"),
}
"""Of a task's metadata, beside `version` and `csc`."""

THINKING: Table = {
    **_all(scalar, "family", "thinks", "tokens"),
    **_all(switches, "switched_off"),
}
PLAY: Table = _all(scalar, "mode")
FORCING: Table = _all(scalar, "choice", "reply")

CSC: Table = {
    **_all(hub_id_or_last_component, "corpus", "evidence_name"),
    **_all(scalar, "project", "config", "split", "rows", "prompt", "unit", "generated", "variant"),
    **_all(
        scalar, "reference", "content_hash", "evidence", "audit_evidence", "repeats", "held_out"
    ),
    **_all(scalar, "format", "reask"),
    **_all(hub_id_or_last_component, "customer"),
    **_all(scalar, "customer_prompt", "customer_temperature", "customer_seed"),
    **_all(scalar, "briefs", "brief_source", "max_turns"),
    **_all(revision, "revision"),
    **_all(digest, OTHER),
    **_all(date, "date"),
    **_all(scalars, "languages", "draft_languages", "left_out"),
    **_all(counts, "counts", "evidence_counts"),
    **_all(places, "places"),
    **_all(signatures, "signatures"),
}
"""Of metadata.csc; `thinking`, `play` and `forced` are tables of their own."""

TASK: Table = {
    **_all(scalar, "task", "test_split", "unsafe_code", "output_type", "num_fewshot", "repeats"),
    **_all(scalar, "should_decontaminate"),
    **_all(text, "description", "target_delimiter", "fewshot_delimiter"),
    **_all(words, "fewshot_config"),
}
"""Of configs[task]; `metadata` and `generation_kwargs` are tables of their own."""

CONFIG: Table = {
    **_all(hub_id_or_last_component, "model"),
    **_all(scalar, "model_num_parameters", "model_dtype", "batch_size", "device", "limit"),
    **_all(scalar, "bootstrap_iters", "random_seed", "numpy_seed", "torch_seed", "fewshot_seed"),
    **_all(scalars, "batch_sizes"),
    **_all(revision, "model_revision"),
    **_all(digest, "model_sha", "peft_sha"),
    **_all(digest, "delta_sha"),
    **_all(digest, OTHER),
}
"""Of config; `model_args` and `gen_kwargs` are tables of their own."""

FILE: Table = {
    **_all(hub_id_or_last_component, "model_name"),
    **_all(scalar, "model_source", "transformers_version", "lm_eval_version", "max_length"),
    **_all(scalar, "eot_token_id", "fewshot_as_multiturn"),
    **_all(number, "date", "start_time", "end_time", "total_evaluation_time_seconds"),
    **_all(revision, "git_hash", "upper_git_hash"),
    **_all(digest, "system_instruction_sha", "chat_template_sha"),
    **_all(texts, "tokenizer_pad_token", "tokenizer_eos_token", "tokenizer_bos_token"),
}
"""Of the file itself; what stands there by task has kinds of its own."""

QUIET = frozenset(
    {
        *("pretty_env_info", "chat_template", "system_instruction", "model_name_sanitized"),
        *("config.use_cache", "csc.play.reason", "metadata.config_source", "csc.counts"),
        *("groups", "task_hashes"),
        *("metadata.csc_customer_url", "metadata.csc_customer_journal"),
        *(f"{part}.{name}" for part in ("model_args", "metadata") for name in CREDENTIALS),
        *(f"{part}.base_url" for part in ("model_args", "metadata")),
    }
)
"""What is known and stays: the machine, its folders, addresses and keys, free text that is known by
its hash.
"""
