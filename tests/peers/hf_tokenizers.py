"""A byte-pair tokeniser trained by Hugging Face's `tokenizers` (GPT-2's kind: byte level, its pattern), for
crates/taper-data/tests/bpe.rs: its files, and its tokens of texts that are easy to get wrong.

    pip install tokenizers; python tests/peers/hf_tokenizers.py TEXT

TEXT is any text in English; the first 12,000 characters are kept beside the records (Jane Austen's, public domain)."""

import json
import pathlib
import sys

import tokenizers
from tokenizers import ByteLevelBPETokenizer

FOLDER = pathlib.Path(__file__).parents[2] / "crates/taper-data/tests/data/bpe"
FOLDER.mkdir(exist_ok=True)
text = pathlib.Path(sys.argv[1]).read_text()[:12_000]
(FOLDER / "text.txt").write_text(text)

tokenizer = ByteLevelBPETokenizer()
tokenizer.train_from_iterator([text], vocab_size=600, min_frequency=2, show_progress=False)
tokenizer.save_model(str(FOLDER))

texts = [
    "",
    "It is a truth universally acknowledged, that a single man",
    "it's we'll I'd they've you're 'tis 'S 'LL don't'''s",
    "  two  spaces\tand\ttabs   \n\n  \r\n line ends\r\rend \n",
    "trailing space ",
    " ",
    "    ",
    "\ufeffbyte order mark",
    "e\u0301 is not \u00e9; \ufb01 is not fi; \u212b is not \u00c5",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 emoji\ufe0f!",
    "日本語です。 한국어 العربية हिन्दी ελληνικά",
    "1234.5678e-9 ½ ² Ⅷ ١٢٣ 五",
    "a\u00a0b\u2003c\u3000d\u0085e\u2028f\x1cg\x0bh\x0ci",
    "snake_case CamelCase kebab-case $#@!%^&*()",
    "<|endoftext|>",
    "\x00\x01\x7f",
    "the the  the the\nthe",
    text[100:400],
]
records = [{"text": t, "tokens": tokenizer.encode(t).ids} for t in texts]
for record in records:
    assert tokenizer.decode(record["tokens"]) == record["text"], record
(FOLDER / "encodings.json").write_text(json.dumps(records, ensure_ascii=True, indent=0))
print(f"tokenizers {tokenizers.__version__}, {tokenizer.get_vocab_size()} tokens")
for path in FOLDER.iterdir():
    print(path.name, path.stat().st_size)
