"""Records jiwer's word error rates of pairs of texts into crates/taper-tasks/tests/data/jiwer_metrics.json.

    python tests/peers/jiwer_metrics.py

Words are those between spaces. The empty reference, more words than the reference has and repeated words are among the pairs.
"""

import importlib.metadata
import json
import os
import random

import jiwer

OUT = os.path.join(os.path.dirname(__file__), "../../crates/taper-tasks/tests/data/jiwer_metrics.json")
WORDS = "zero one two three four five".split()


def text(rng, longest):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, longest)))


def case(references, hypotheses):
    out = jiwer.process_words(references, hypotheses)
    return dict(
        references=references, hypotheses=hypotheses, wer=out.wer, hits=out.hits, substitutions=out.substitutions,
        deletions=out.deletions, insertions=out.insertions)


if __name__ == "__main__":
    rng = random.Random(7)
    cases = [
        case(["one two three"], ["one two three"]),
        case(["one two three"], [""]),
        case(["one"], ["two three four five"]),
        case([""], ["one two"]),
        case([""], [""]),
        case(["one one two"], ["one two two"]),
        case(["one two", ""], ["one", "three"]),
    ]
    for _ in range(40):
        n = rng.randint(1, 4)
        cases.append(case([text(rng, 7) for _ in range(n)], [text(rng, 8) for _ in range(n)]))
    with open(OUT, "w") as file:
        json.dump(dict(jiwer=importlib.metadata.version("jiwer"), cases=cases), file, separators=(",", ":"))
        file.write("\n")
    for one in cases[:7]:
        print(one)
