"""Fixtures of the GGUF reader, by the format's own package: what blocks of every kind widen to, and one small whole file.

    python3 -m venv .cache/venv-gguf && .cache/venv-gguf/bin/pip install gguf numpy
    .cache/venv-gguf/bin/python scripts/golden/gguf.py
    npx biome format --write crates/store/src/gguf/blocks.json

Needs gguf 0.19.0 and numpy 2.4.6. Writes, the same bytes each time, into crates/store/src/gguf:

    blocks.json  for each kind its number, bytes of blocks, and the bits of the float32 that they widen to; both in hex,
                 little-endian
    small.gguf   metadata of all types, and tensors of several kinds
"""

import json
import sys
from pathlib import Path

# The folder of this script is searched first, where `gguf` is the script itself.
sys.path.pop(0)

import numpy as np  # noqa: E402
from gguf import GGMLQuantizationType as Kind  # noqa: E402
from gguf import GGUFValueType, GGUFWriter  # noqa: E402
from gguf.constants import GGML_QUANT_SIZES  # noqa: E402
from gguf.quants import dequantize  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "crates/store/src/gguf"

# Where the half-precision scales of a block lie, for each kind that has blocks.
SCALES = {
    Kind.Q4_0: [0],
    Kind.Q4_1: [0, 2],
    Kind.Q5_0: [0],
    Kind.Q5_1: [0, 2],
    Kind.Q8_0: [0],
    Kind.Q2_K: [80, 82],
    Kind.Q3_K: [108],
    Kind.Q4_K: [0, 2],
    Kind.Q5_K: [0, 2],
    Kind.Q6_K: [208],
}


def finite_halves(rng: np.random.Generator, n: int) -> np.ndarray:
    """Any bits but those of infinities and NaN: of both signs, and subnormal ones among them."""
    bits = rng.integers(0, 0x7C00, n) | rng.integers(0, 2, n) << 15
    bits[::7] &= 0x83FF
    return bits.astype("<u2").view(np.float16)


def random_blocks(rng: np.random.Generator, kind: Kind, blocks: int) -> np.ndarray:
    raw = rng.integers(0, 256, (blocks, GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for at in SCALES[kind]:
        raw[:, at : at + 2] = finite_halves(rng, blocks).view(np.uint8).reshape(blocks, 2)
    return raw.reshape(-1)


def plain_items(rng: np.random.Generator, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """Items that are no blocks, and what they widen to."""
    if kind == Kind.F16:
        halves = np.concatenate([finite_halves(rng, 300), np.array([np.inf, -np.inf, 0, -0.0], np.float16)])
        return halves.view(np.uint8), dequantize(halves, kind)
    if kind == Kind.F64:
        doubles = np.concatenate([rng.normal(size=40) * 10.0 ** rng.integers(-50, 50, 40), [np.inf, -0.0]])
        with np.errstate(over="ignore", under="ignore"):
            return doubles.view(np.uint8), doubles.astype(np.float32)
    raw = rng.integers(0, 256, 40 * GGML_QUANT_SIZES[kind][1], dtype=np.uint8)
    wide = dequantize(raw, kind).view(np.float32)
    keep = ~np.isnan(wide)
    return raw.reshape(40, -1)[keep].reshape(-1), wide[keep]


def blocks() -> None:
    rng = np.random.default_rng(7)
    table = {}
    for kind in [Kind.F32, Kind.F16, Kind.BF16, Kind.F64, *SCALES]:
        if kind in SCALES:
            raw = random_blocks(rng, kind, 2 if GGML_QUANT_SIZES[kind][0] == 256 else 8)
            wide = dequantize(raw, kind)
        else:
            raw, wide = plain_items(rng, kind)
        assert not np.isnan(wide).any()
        table[kind.name] = {
            "number": int(kind),
            "bytes": raw.tobytes().hex(),
            "floats": wide.astype("<f4").tobytes().hex(),
        }
    rows = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in table.items()]
    (FOLDER / "blocks.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


def small() -> None:
    rng = np.random.default_rng(8)
    writer = GGUFWriter(FOLDER / "small.gguf", "llama")
    writer.add_custom_alignment(64)
    writer.add_name("small \u00e9")
    numbers = {
        "UINT8": 200,
        "INT8": -100,
        "UINT16": 60000,
        "INT16": -30000,
        "UINT32": 4_000_000_000,
        "INT32": -2_000_000_000,
        "FLOAT32": 0.1,
        "UINT64": 2**64 - 1,
        "INT64": -(2**63),
        "FLOAT64": 0.1,
        "BOOL": True,
    }
    for name, value in numbers.items():
        writer.add_key_value(f"a.{name.lower()}", value, GGUFValueType[name])
    writer.add_token_list(["<s>", "", "\u2581caf\u00e9", "\U0001f600"])
    writer.add_token_scores([0.0, -1.5, float("-inf"), 2.25])
    writer.add_token_types([3, 1, -1, 6])
    writer.add_array("a.flags", [True, False, True])
    writer.add_array("a.nested", [[1, 2], [3]])
    writer.add_array("a.pairs", [["x", "y"], ["z"]])
    q8 = random_blocks(rng, Kind.Q8_0, 6).reshape(3, -1)
    writer.add_tensor("q8", q8, raw_dtype=Kind.Q8_0)
    writer.add_tensor("cube", np.arange(24, dtype=np.float16).reshape(2, 3, 4))
    writer.add_tensor("q6", random_blocks(rng, Kind.Q6_K, 2).reshape(2, -1), raw_dtype=Kind.Q6_K)
    writer.add_tensor("other", np.arange(3, dtype=np.int32))
    # A whole multiple of the alignment: no byte of the file is padding that a reader could do without.
    writer.add_tensor("last", np.arange(16, dtype=np.float32) / 4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    blocks()
    small()
