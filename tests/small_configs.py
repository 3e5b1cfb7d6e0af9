"""Sizes of the random models: odd ones, and every peculiarity that an architecture has.

Fewer key-value heads than heads, heads wider or narrower than the residual stream divided by their
number, windows shorter than a prompt, soft caps, tied heads, norms after a block, parallel blocks.
"""

from __future__ import annotations

from typing import Any

_LLAMA_LIKE: dict[str, Any] = {
    "hidden_size": 30,
    "intermediate_size": 44,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "head_dim": 10,
    "max_position_embeddings": 24,
    "tie_word_embeddings": False,
}
_GPT_LIKE: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 4,
    "num_attention_heads": 3,
    "max_position_embeddings": 24,
}
_OPT = _GPT_LIKE | {"ffn_dim": 40, "word_embed_proj_dim": 24}
_NEOX = _GPT_LIKE | {"intermediate_size": 40}
_FALCON = _GPT_LIKE | {"hidden_size": 32, "num_attention_heads": 4, "alibi": False}
_GEMMA = _LLAMA_LIKE | {
    "hidden_size": 36,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "query_pre_attn_scalar": 9,
    "sliding_window": 4,
    "tie_word_embeddings": True,
}

_BERT: dict[str, Any] = _NEOX

#: What is no decoder of tokens: the kind of a model to its class in transformers and its config.
OTHER_CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertForMaskedLM", _BERT),
    "bert_classifier": ("BertForSequenceClassification", _BERT | {"num_labels": 3}),
    "mamba": (
        "MambaForCausalLM",
        {
            "hidden_size": 24,
            "intermediate_size": 40,
            "state_size": 5,
            "num_hidden_layers": 4,
            "time_step_rank": 3,
        },
    ),
}
OTHER_CONFIGS["t5"] = (
    "T5ForConditionalGeneration",
    {
        "d_model": 24,
        "d_kv": 10,
        "d_ff": 40,
        "num_layers": 3,
        "num_decoder_layers": 4,
        "num_heads": 3,
        "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 10,
        "decoder_start_token_id": 0,
    },
)

#: The kind of a model to its ``model_type`` and its config.
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": (
        "gpt2",
        {"n_positions": 24, "n_embd": 24, "n_layer": 5, "n_head": 3, "n_inner": 40},
    ),
    "llama": ("llama", _LLAMA_LIKE | {"num_hidden_layers": 5}),
    "gpt_neo": (
        "gpt_neo",
        {
            "hidden_size": 24,
            "intermediate_size": 40,
            "num_layers": 4,
            "num_heads": 3,
            "attention_types": [[["global", "local"], 2]],
            "window_size": 3,
            "max_position_embeddings": 24,
        },
    ),
    "gpt_neox": ("gpt_neox", _NEOX),
    "gpt_neox_serial": ("gpt_neox", _NEOX | {"use_parallel_residual": False}),
    "gptj": (
        "gptj",
        {
            "n_positions": 24,
            "n_embd": 24,
            "n_layer": 4,
            "n_head": 3,
            "n_inner": 40,
            "rotary_dim": 4,
        },
    ),
    "opt": ("opt", _OPT),
    "opt_post_norm": ("opt", _OPT | {"do_layer_norm_before": False, "word_embed_proj_dim": 18}),
    "bloom": ("bloom", {"hidden_size": 24, "n_layer": 4, "n_head": 3}),
    "bloom_post_norm": (
        "bloom",
        {
            "hidden_size": 30,
            "n_layer": 4,
            "n_head": 3,
            "apply_residual_connection_post_layernorm": True,
        },
    ),
    "mistral": (
        "mistral",
        _LLAMA_LIKE | {"num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": 4},
    ),
    "mixtral": (
        "mixtral",
        # The other implementation of the experts knows no double precision.
        _LLAMA_LIKE
        | {"num_local_experts": 4, "num_experts_per_tok": 2, "experts_implementation": "eager"},
    ),
    "qwen2": (
        "qwen2",
        _LLAMA_LIKE
        | {
            "hidden_size": 36,
            "num_key_value_heads": 2,
            "head_dim": 6,
            "use_sliding_window": True,
            "sliding_window": 5,
            "max_window_layers": 2,
        },
    ),
    "qwen3": ("qwen3", _LLAMA_LIKE | {"head_dim": 8}),
    "gemma2": (
        "gemma2",
        _GEMMA | {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 10.0},
    ),
    "gemma3": (
        "gemma3_text",
        _GEMMA | {"layer_types": ["sliding_attention", "full_attention"] * 2},
    ),
    "phi3": ("phi3", _LLAMA_LIKE | {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 5}),
    "olmo2": ("olmo2", _LLAMA_LIKE | {"head_dim": 8}),
    "falcon": ("falcon", _FALCON | {"multi_query": True, "parallel_attn": True}),
    "falcon_grouped": ("falcon", _FALCON | {"new_decoder_architecture": True, "num_kv_heads": 2}),
    "falcon_alibi": (
        "falcon",
        _FALCON | {"alibi": True, "multi_query": False, "parallel_attn": False, "bias": True},
    ),
}

_THETA: dict[str, Any] = {"rope_theta": 100.0}
_BY_LENGTH = _THETA | {"rope_type": "longrope", "original_max_position_embeddings": 7}

#: What rotates queries and keys otherwise; the first two of more than seven tokens in another way.
ROTATED_CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "phi3_longrope": (
        "phi3",
        CONFIGS["phi3"][1]
        | {
            "hidden_size": 48,
            "original_max_position_embeddings": 7,
            "rope_parameters": _BY_LENGTH
            | {"short_factor": [1.0, 1.1, 1.3, 1.6], "long_factor": [2.0, 3.0, 5.0, 8.0]},
        },
    ),
    "gemma3_longrope": (
        "gemma3_text",
        CONFIGS["gemma3"][1]
        | {
            "rope_parameters": {
                "sliding_attention": _THETA | {"rope_type": "default"},
                "full_attention": _BY_LENGTH
                | {"short_factor": [1.0, 1.1, 1.2, 1.4, 1.7], "long_factor": [2, 3, 4, 6, 9]},
            },
        },
    ),
}
_SCALED: dict[str, dict[str, Any]] = {
    "dynamic": {"factor": 2.0},
    "yarn": {
        "factor": 4.0,
        "original_max_position_embeddings": 6,
        "beta_fast": 0.5,
        "beta_slow": 0.1,
    },
    "linear": {"factor": 3.0},
    "llama3": {
        "factor": 4.0,
        "original_max_position_embeddings": 6,
        "low_freq_factor": 0.2,
        "high_freq_factor": 2.0,
    },
}
for _name, _more in _SCALED.items():
    _rope = {"rope_parameters": _THETA | {"rope_type": _name} | _more}
    ROTATED_CONFIGS[f"llama_{_name}"] = ("llama", _LLAMA_LIKE | _rope)
