"""Tiny learned-metric models on disk: random weights from a fixed seed, real tokenizers, a second
to build them all.
"""

from pathlib import Path

SENTENCES = (
    "Hello, how can I help you today?",
    "Your card is locked because the password was wrong five times.",
    "I am sorry for the trouble.",
    "Please send me the order number, and I will check the delivery.",
    "The refund arrives within three working days.",
    "Thank you, goodbye!",
    "您好，请问有什么可以帮您？",
    "非常抱歉给您带来不便，我马上为您核实。",
    "您的银行卡因密码连续输错五次被锁定。",
    "感谢您的来电，再见！",
)
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def wordpieces() -> dict[str, int]:
    """Every character and every word of SENTENCES, and the letters as continuations."""
    letters = sorted(
        {
            character
            for sentence in SENTENCES
            for character in sentence.lower()
            if not character.isspace()
        }
    )
    words = sorted(
        {
            word.strip(",.?!")
            for sentence in SENTENCES
            if sentence.isascii()
            for word in sentence.lower().split()
        }
    )
    tokens = [
        *SPECIALS,
        *letters,
        *(word for word in words if word not in letters),
        *(f"##{c}" for c in letters if c.isascii()),
    ]
    return {token: i for i, token in enumerate(tokens)}


def make_bert(folder: Path, layers: int = 3, positions: int = 64, hidden: int = 32) -> Path:
    """A BERT with a WordPiece vocabulary."""
    from transformers import BertConfig, BertModel

    vocabulary = _wordpiece_tokenizer(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * hidden,
        max_position_embeddings=positions,
        initializer_range=0.2,
    )
    return _save(BertModel, config, folder)


def make_roberta(folder: Path, layers: int = 3, positions: int = 64) -> Path:
    """A RoBERTa with a byte-level BPE vocabulary; its table of positions has two rows more than it
    takes tokens.
    """
    from transformers import RobertaConfig, RobertaModel

    vocabulary = _bpe_tokenizer(folder)
    config = RobertaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions + 2,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        initializer_range=0.2,
    )
    return _save(RobertaModel, config, folder)


def make_bart(folder: Path, positions: int = 64, seed: int = 0) -> Path:
    """A BART with a byte-level BPE vocabulary and logits far enough apart that every token's
    probability is its own.
    """
    from transformers import BartConfig, BartForConditionalGeneration

    vocabulary = _bpe_tokenizer(folder)
    config = BartConfig(
        vocab_size=len(vocabulary),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=positions,
        init_std=0.3,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
    )
    return _save(BartForConditionalGeneration, config, folder, seed)


def make_bleurt(folder: Path, vocabulary: str = "wordpiece", positions: int = 64) -> Path:
    """A BLEURT with a WordPiece ("wordpiece") or a SentencePiece ("sentencepiece", as BLEURT-20)
    vocabulary.
    """
    from csc_tasks.compat.bleurt import package

    size = (
        len(_wordpiece_tokenizer(folder)) if vocabulary == "wordpiece" else _sentencepiece(folder)
    )
    config = package().BleurtConfig(
        vocab_size=size,
        hidden_size=32,
        embedding_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        initializer_range=0.2,
    )
    return _save(package().BleurtForSequenceClassification, config, folder)


def make_embedder(folder: Path, positions: int = 64) -> Path:
    """A sentence-transformers model: the mean of a tiny BERT's last layer."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    bert = make_bert(folder.with_name(f"{folder.name}-bert"), positions=positions)
    transformer = modules.Transformer(str(bert), max_seq_length=positions)
    SentenceTransformer(modules=[transformer, modules.Pooling(32)], device="cpu").save(str(folder))
    return folder


def _save(kind, config, folder: Path, seed: int = 0) -> Path:
    import torch

    torch.manual_seed(seed)
    model = kind(config)
    with torch.no_grad():
        # Biases start at 0 and norms at 1, where a mistake in either could hide.
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.05 * torch.randn(parameter.shape))
    model.save_pretrained(folder)
    return folder


def _wordpiece_tokenizer(folder: Path) -> dict[str, int]:
    from transformers import BertTokenizer

    vocabulary = wordpieces()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text(
        "".join(f"{token}\n" for token in vocabulary), encoding="utf-8"
    )
    BertTokenizer(vocab=vocabulary, do_lower_case=True).save_pretrained(folder)
    return vocabulary


def _bpe_tokenizer(folder: Path) -> dict[str, int]:
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaTokenizer

    trainer = ByteLevelBPETokenizer()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer.train_from_iterator(
        SENTENCES, vocab_size=400, min_frequency=1, show_progress=False, special_tokens=specials
    )
    folder.mkdir(parents=True, exist_ok=True)
    trainer.save_model(str(folder))
    RobertaTokenizer.from_pretrained(str(folder)).save_pretrained(folder)
    return trainer.get_vocab()


def _sentencepiece(folder: Path) -> int:
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "sentences.txt"
    text.write_text("\n".join(SENTENCES * 4), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "spm"),
        vocab_size=220,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=0,
        unk_id=3,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        minloglevel=2,
    )
    text.unlink()
    return sentencepiece.SentencePieceProcessor(
        model_file=str(folder / "spm.model")
    ).get_piece_size()
