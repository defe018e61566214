"""Hashed n-grams by scikit-learn.

    python hash-ngrams.py TEXTS.jsonl
"""

import json
import sys

from sklearn.feature_extraction.text import HashingVectorizer

from timing import timed

with open(sys.argv[1], encoding="utf-8") as file:
    texts = [json.loads(line)["text"] for line in file]
vectorizer = HashingVectorizer(
    ngram_range=(1, 2),
    n_features=10_000,
    token_pattern=r"\w+|[^\w\s]+",
    norm=None,
    alternate_sign=False,
)
timed(lambda: vectorizer.transform(texts), repetitions=2)
