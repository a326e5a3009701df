"""Tiny random models as GGUF files, as other programs write them."""

import gguf
import numpy as np
from gguf import GGMLQuantizationType

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("t h", "th e", "Ġ the", "i n", "Ġ a")
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def vocabulary():
    """Special tokens, all bytes and a few merged pieces."""
    from tokenizers.pre_tokenizers import ByteLevel

    merged = [merge.replace(" ", "") for merge in MERGES]
    return [*SPECIAL, *sorted(ByteLevel.alphabet()), *merged]


def tiny_model(architecture="llama", tied=True):
    """A random model with grouped heads, large enough for blocks of 32 numbers."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    config, model = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    }[architecture]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = model(
            config(
                vocab_size=len(vocabulary()),
                hidden_size=64,
                intermediate_size=96,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=128,
                rms_norm_eps=1e-5,
                rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
                tie_word_embeddings=tied,
                initializer_range=0.3,
            )
        ).eval()
        for name, parameter in made.named_parameters():
            if "norm" in name or name.endswith("bias"):  # which begin as ones and zeros
                parameter.data.add_(0.3 * torch.randn_like(parameter))
    return made


def interleave(matrix, heads):
    """Let the two halves of every head's rotary dimensions alternate, as Llama's files have it."""
    halves = matrix.reshape(heads, 2, matrix.shape[0] // heads // 2, *matrix.shape[1:])
    return halves.swapaxes(1, 2).reshape(matrix.shape)


def write_gguf(path, model, kind="F32", architecture="llama", pre="smollm", **fields):
    """Write a model; matrices are of this type. `fields` replace or add fields, None leaves out."""
    config, kind = model.config, GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Tiny _one_")
    writer.add_license("apache-2.0")
    sizes = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
    } | {k: v for k, v in fields.items() if type(v) is int}
    for key, value in sizes.items():
        writer.add_uint32(f"{architecture}.{key}", value)
    writer.add_float32(f"{architecture}.rope.freq_base", 10_000.0)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", config.rms_norm_eps)
    for key, value in fields.items():
        if isinstance(value, str) and "." in key:
            writer.add_string(f"{architecture}.{key}", value)
    words = vocabulary()
    writer.add_tokenizer_model(fields.get("tokenizer", "gpt2"))
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(words)
    writer.add_token_types([3 if word in SPECIAL else 1 for word in words])
    writer.add_token_merges(list(fields.get("merges", MERGES)))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    if "add_bos" in fields:
        writer.add_add_bos_token(True)
    writer.add_chat_template("{{ messages[0]['content'] }}")
    for name, array in file_tensors(model, architecture).items():
        stored = kind if array.ndim > 1 else GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quantize(array, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def file_tensors(model, architecture):
    """Every tensor of a model by the name a file gives it, laid out as in a file."""
    config, tensors = model.config, {}
    for name, tensor in model.state_dict().items():
        array, (path, part) = tensor.numpy().astype(np.float32), name.rsplit(".", 1)
        if path in TOP:
            if not (path == "lm_head" and config.tie_word_embeddings):
                tensors[f"{TOP[path]}.{part}"] = array
            continue
        _, _, layer, *rest = path.split(".")
        short = NAMES[".".join(rest)]
        if architecture == "llama" and short in ("attn_q", "attn_k"):
            queries = short == "attn_q"
            heads = config.num_attention_heads if queries else config.num_key_value_heads
            array = interleave(array, heads)
        tensors[f"blk.{layer}.{short}.{part}"] = np.ascontiguousarray(array)
    return tensors
