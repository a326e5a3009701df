"""Tiny random base models of every architecture, for tests."""

FAMILIES = ("t5", "bert", "gpt2", "llama")


def _configuration(family):
    """Return the configuration of an architecture, as small as it gets."""
    from transformers import BertConfig, GPT2Config, LlamaConfig, T5Config

    words = 64
    if family == "t5":
        return T5Config(
            vocab_size=words,
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            decoder_start_token_id=0,
            pad_token_id=0,
            eos_token_id=1,
            initializer_factor=1.0,
        )
    if family == "bert":
        return BertConfig(
            vocab_size=words,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=256,
            initializer_range=0.2,
        )
    if family == "gpt2":
        return GPT2Config(
            vocab_size=words,
            n_embd=16,
            n_layer=2,
            n_head=2,
            n_positions=256,
            bos_token_id=2,
            eos_token_id=1,
            pad_token_id=0,
            initializer_range=0.2,
        )
    return LlamaConfig(
        vocab_size=words,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=32,
        max_position_embeddings=256,
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
        initializer_range=0.2,
    )


def tokenizer_for(kind):
    """Return a tokenizer of sixty letters and signs; every other character is <unk>."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    signs = "abcdefghijklmnopqrstuvwxyz .,?!:;'[]()0123456789-\n"
    words = ["<pad>", "</s>", "<s>", "<unk>", "<cls>", "<sep>", *signs]
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    if kind == "encoder":
        core.post_processor = processors.TemplateProcessing(
            single="<cls> $A <sep>",
            pair="<cls> $A <sep> $B:1 <sep>:1",
            special_tokens=[("<cls>", 4), ("<sep>", 5)],
        )
        names |= {"cls_token": "<cls>", "sep_token": "<sep>"}
    if kind == "decoder":
        names |= {"bos_token": "<s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **names,
    )


def build_tiny(family, seed=0):
    """Build a random base model of an architecture, about ten thousand numbers."""
    import torch
    from transformers import BertModel, GPT2LMHeadModel, LlamaForCausalLM
    from transformers import T5ForConditionalGeneration as T5

    from peftcore.models.base_model import freeze

    makers = {"t5": T5, "bert": BertModel, "gpt2": GPT2LMHeadModel, "llama": LlamaForCausalLM}
    extra = {"add_pooling_layer": False} if family == "bert" else {}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = makers[family](_configuration(family), **extra)
    kinds = {"t5": "encoder-decoder", "bert": "encoder"}
    return freeze(f"random-{family}", model, tokenizer_for(kinds.get(family, "decoder")))
