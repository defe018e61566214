"""Small models with drawn weights of each family that is read, and what transformers makes of them: for the test of models' variants.

    .cache/venv-merge/bin/python scripts/golden/variants.py && npx biome format --write __test__/models/variants

Writes __test__/models/variants/NAME/ (config.json, tokenizer.json, model.safetensors in float16) and expected.json beside them.
"""

import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    RobertaConfig,
    RobertaModel,
)

OUT = Path(__file__).parents[2] / "__test__/models/variants"
WORDS = "a sieve keeps what is fine and lets the rest of flour mill go by".split()
TEXTS = ["a sieve keeps what is fine", " ".join(WORDS * 4), "mill"]
VOCABULARY = 24

shutil.rmtree(OUT, ignore_errors=True)
torch.manual_seed(0)
vocabulary = {"[UNK]": 0, "[PAD]": 1} | {word: i + 2 for i, word in enumerate(WORDS)}
tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
expected = {"texts": TEXTS, "losses": {}, "embeddings": {}}


def write(name, model, **options):
    """Draws weights, writes the model, and gives back what is read of it: rounded to float16, computed in float32."""
    for parameter in model.parameters():
        parameter.data.normal_(1 if parameter.dim() == 1 else 0, 0.2)
    model.half().save_pretrained(OUT / name)
    (OUT / name / "generation_config.json").unlink(missing_ok=True)
    tokenizer.save(str(OUT / name / "tokenizer.json"))
    # Not the model itself: its buffers, positions' frequencies among them, were rounded, too.
    return type(model).from_pretrained(OUT / name, dtype=torch.float32, **options).eval()


def short(numbers):
    return [float(f"{x:.7g}") for x in numbers]


@torch.inference_mode()
def causal(name, model):
    model = write(name, model)
    losses = []
    for text in TEXTS:
        ids = torch.tensor(tokenizer.encode(text).ids)
        logs = model(ids[None]).logits[0, :-1].log_softmax(-1)
        losses.append(short((-logs[torch.arange(len(ids) - 1), ids[1:]]).tolist()))
    expected["losses"][name] = losses


@torch.inference_mode()
def embedder(name, model, **options):
    model = write(name, model, **options)
    rows = [model(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0].mean(0) for text in TEXTS]
    expected["embeddings"][name] = [short(torch.nn.functional.normalize(row, dim=0).tolist()) for row in rows]


llama = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
scaling = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
causal("llama3", LlamaForCausalLM(LlamaConfig(**llama, rope_theta=500.0, rope_scaling=scaling)))
linear = {"rope_type": "linear", "factor": 4.0}
tied = LlamaConfig(**llama, head_dim=16, tie_word_embeddings=True, rope_scaling=linear)
causal("llama-linear-tied", LlamaForCausalLM(tied))
causal("mistral", MistralForCausalLM(MistralConfig(**llama, sliding_window=None)))

sizes = {"vocab_size": VOCABULARY, "max_position_embeddings": 80}
inner = {"hidden_size": 30, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 44}
roberta = RobertaConfig(**sizes, **inner, pad_token_id=1, type_vocab_size=1)
embedder("roberta", RobertaModel(roberta, add_pooling_layer=False), add_pooling_layer=False)
distilbert = DistilBertConfig(**sizes, dim=32, n_layers=2, n_heads=2, hidden_dim=44)
embedder("distilbert", DistilBertModel(distilbert))
bert = BertConfig(**sizes, **inner, hidden_act="gelu_new")
embedder("bert-gelu-new", BertModel(bert, add_pooling_layer=False), add_pooling_layer=False)

(OUT / "expected.json").write_text(json.dumps(expected))
