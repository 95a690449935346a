"""What sacrebleu's tokeniser 13a and its corpus BLEU give, as crates/taper-tasks/tests/data/sacrebleu.json.

    pip install sacrebleu
    python tests/peers/sacrebleu_scores.py

The cases: ordinary sentences, a short translation (brevity), an empty one, one without a pair in common (smoothed), one of three
words (no run of four), nothing right, entities and punctuation.
"""

import json
import pathlib

import sacrebleu
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

SENTENCES = [
    ("the cat sat on the mat", "the cat is on the mat"),
    ("Y dijo Dios: Sea la luz: y fué la luz.", "Y dijo Dios: Haya luz; y hubo luz."),
    ("In the beginning, God made the heaven and the earth.", "In the beginning God created the heaven and the earth."),
    ("there is a dog on the red chair", "there is a cat on the blue chair"),
    ("1,234.5 men-at-arms cost $3.50 (or so)", "1,234.5 men-at-arms cost $3.5 (or more)"),
]
TEXTS = [text for pair in SENTENCES for text in pair] + [
    "It's 50% off, isn't it? \"Yes\" &amp; &quot;no&quot; &lt;b&gt; <skipped>.",
    "a.b,c 3-4 10.000,5. -5 x-1 1-x ... ,,, U.S. end-",
    "¿Qué? «así» — ‘sí’ 日本。 3．5 ٣.٤",
    "{a}|~[b]\\^_`!#$&()*+:;<=>?@/'",
    "  lead and trail \t tab\u00a0nbsp \n new-\nline",
    "&",
    "",
]


def corpus(name, pairs):
    translations, references = [list(side) for side in zip(*pairs)]
    return {
        "name": name,
        "translations": translations,
        "references": references,
        "score": sacrebleu.corpus_bleu(translations, [references]).score,
    }


def main():
    record = {
        "sacrebleu": sacrebleu.__version__,
        "words": [[text, Tokenizer13a()(text.rstrip())] for text in TEXTS],
        "corpora": [
            corpus("ordinary", SENTENCES),
            corpus("one sentence", SENTENCES[2:3]),
            corpus("short", [(a[: len(a) // 2], b) for a, b in SENTENCES]),
            corpus("long", [(a + " and more, and more", b) for a, b in SENTENCES]),
            corpus("empty ones among others", [("", SENTENCES[0][1])] + SENTENCES),
            corpus("all empty", [("", "a b c d")]),
            corpus("smoothed", [("a x b y c", "a b c d e"), ("c b a", "a b c")]),
            corpus("three words", [("a b c", "a b c")]),
            corpus("nothing right", [("p q r s t", "a b c d e")]),
            corpus("the same", [(b, b) for _, b in SENTENCES]),
        ],
    }
    path = pathlib.Path(__file__).parents[2] / "crates/taper-tasks/tests/data/sacrebleu.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
