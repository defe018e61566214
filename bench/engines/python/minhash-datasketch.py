"""MinHash signatures by datasketch.

python minhash-datasketch.py TEXTS.jsonl EVERY
"""

import sys

from datasketch import MinHash
from xxhash import xxh32_intdigest

from minhash_texts import NGRAM, PERMUTATIONS, read
from timing import timed

texts = read(sys.argv[1], int(sys.argv[2]))
empty = MinHash(num_perm=PERMUTATIONS, hashfunc=xxh32_intdigest)


def sign(text):
    signature = empty.copy()
    places = range(max(1, len(text) - NGRAM + 1))
    if text.isascii():
        data = text.encode()
        signature.update_batch({data[i : i + NGRAM] for i in places})
    else:
        signature.update_batch({text[i : i + NGRAM].encode() for i in places})
    return signature


timed(lambda: [sign(text) for text in texts], repetitions=2)
