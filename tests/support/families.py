"""Tiny random models of every supported model family, built from nothing but its name."""

from functools import cache

from support.bases import tokenizer_for

# Sizes under all the names that configurations have for them; each takes those it knows.
TINY = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "word_embed_proj_dim"), 16),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "n_layer", "n_layers"), 2),
    **dict.fromkeys(("encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "num_heads", "n_head", "n_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "d_ff", "hidden_dim"), 24),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 24),
    **dict.fromkeys(("max_position_embeddings", "n_positions"), 192),
    **dict.fromkeys(("head_dim", "d_kv"), 6),  # of those that have one, not width / heads
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "embedding_size": 8,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
    "cls_token_id": 4,
    "sep_token_id": 5,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": None,
    "initializer_range": 0.2,
    "initializer_factor": 1.0,
    "query_pre_attn_scalar": 4,
    "attn_logit_softcapping": 2.0,  # low, so that it bends scores of this size
    "rope_theta": 100.0,
}
WINDOWED = {  # the same with layers that see a window of six, and layers that see all, in turn
    "sliding_window": 6,
    "use_sliding_window": True,
    "layer_types": ["sliding_attention", "full_attention"],
    "local_attention": 6,
    "global_attn_every_n_layers": 2,
    "window_size": 6,
    "attention_types": [[["local", "global"], 1]],
}
TWO_STACKS = ("t5gemma",)  # a configuration for each stack


def tiny_config(name, windowed=False, **more):
    """Return the configuration of a family, as small as it gets."""
    from transformers import AutoConfig

    kind = type(AutoConfig.for_model(name))
    sizes = TINY | (WINDOWED if windowed or name == "gpt_neo" else {})
    if name in TWO_STACKS:
        part = {k: v for k, v in sizes.items() if k != "embedding_size"}
        return kind(encoder=part, decoder=part, vocab_size=64)
    known = kind().to_dict().keys() | getattr(kind, "attribute_map", {}).keys()
    # One size by one name only: those that are kept under another one are left out.
    own = known - getattr(kind, "attribute_map", {}).keys() | {"decoder_start_token_id"}
    return kind(**{key: value for key, value in sizes.items() if key in own} | more)


@cache
def build_family(name, windowed=False, tokenizer=None, **more):
    """Build a random base of a family; nobody may change it."""
    import torch

    from peftcore.models.architectures import find_architecture
    from peftcore.models.base_model import AUTO_CLASSES, freeze

    architecture = find_architecture(name)
    extra = {"add_pooling_layer": False} if architecture.has_pooler else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = tiny_config(name, windowed, **more)
        model = AUTO_CLASSES[architecture.kind].from_config(config, **extra)
        for parameter in model.parameters():  # norms and biases too: nothing hides behind a zero
            parameter.data += 0.1 * torch.randn_like(parameter)
    return freeze(f"random-{name}", model, tokenizer or tokenizer_for(architecture.kind))
