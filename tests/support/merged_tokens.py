"""A small random model whose tokenizer merges brackets with what stands beside them, as real
vocabularies do: tokens of text and of name encoded apart are not those of both together.
"""

from pathlib import Path

from csc_tasks.framework import STRATEGIES
from csc_tasks.languages import language
from tests.support.models import CHATML
from tests.support.play_models import random_model


def merging_model(folder: Path) -> Path:
    """A folder with the model; byte-level BPE, trained without splitting at words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    # Without splitting at words a merge may cross brackets and white space.
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    names = [language(code).strategies[s.id].name for code in ("en", "zh") for s in STRATEGIES]
    texts = [f"[{name}]" for name in names]
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
    )
    backend.train_from_iterator(texts * 3, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        model_max_length=4096,
    )
    tokenizer.chat_template = CHATML
    random_model(folder, vocab_size=backend.get_vocab_size())
    tokenizer.save_pretrained(folder)
    return folder
