"""MinHash signatures by rensa.

python minhash-rensa.py TEXTS.jsonl EVERY
"""

import sys

from rensa import RMinHash

from minhash_texts import NGRAM, PERMUTATIONS, read
from timing import timed

texts = read(sys.argv[1], int(sys.argv[2]))


def work():
    shingles = [{text[i : i + NGRAM] for i in range(max(1, len(text) - NGRAM + 1))} for text in texts]
    return RMinHash.digest_matrix_from_token_sets(shingles, PERMUTATIONS, 1)


timed(work, repetitions=2)
