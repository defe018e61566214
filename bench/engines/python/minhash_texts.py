"""The texts of the MinHash engines."""

import json

NGRAM = 13
PERMUTATIONS = 128


def read(path, every):
    """The clean text of every n-th document."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line)["clean"] for i, line in enumerate(file) if i % every == 0]
