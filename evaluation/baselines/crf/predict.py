"""The baseline that learns: one linear-chain CRF a layer, both languages together, trained on train.

Lafferty, McCallum and Pereira (2001); CRFsuite's L-BFGS with L1 and L2 regularisation.
"""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pycrfsuite
import typer
from rich.progress import track

from khabar import jsonl
from khabar.cli import run
from khabar.tagging import TOKEN_LAYERS, Tagger, examples, predict, with_texts

ARABIC = re.compile(r"[\u0600-\u06ff]")
MARKS = re.compile(r"[\u064b-\u0652\u0670\u0640]")
PROCLITICS = re.compile(r"^(?:[وف]?[بلك]?ال|[وف][بلك]?|[بلك]|لل)(?=\w{3})")
SETTINGS = {"c1": 0.05, "c2": 0.02, "max_iterations": 120, "feature.possible_transitions": True}


def shape(word: str) -> str:
    """Write a word's shape: capitals X, small letters x, digits 9, runs cut at two."""
    signs = re.sub(r"[A-ZÀ-Þ]", "X", re.sub(r"[a-zß-ÿ]", "x", re.sub(r"\d", "9", word)))
    return re.sub(r"(.)\1{2,}", r"\1\1", signs)


def word_features(word: str) -> list[str]:
    """Describe one word by itself: its form, ends, shape, and its stem where it is Arabic."""
    form = MARKS.sub("", word).casefold()
    features = [
        f"w={form}",
        f"shape={shape(word)}",
        *(f"s{n}={form[-n:]}" for n in (2, 3, 4)),
        *(f"p{n}={form[:n]}" for n in (2, 3, 4)),
    ]
    if ARABIC.search(word):
        stem = PROCLITICS.sub("", form)
        features += ["arabic", f"stem={stem}", f"stem-s2={stem[-2:]}", f"clitics={form[: len(form) - len(stem)]}"]
    return features


def sentence_features(words: Sequence[str]) -> list[list[str]]:
    """Describe each word with its neighbours, two to either side."""
    own = [word_features(word) for word in words]
    rows = []
    for at in range(len(words)):
        row = ["bias", *own[at]]
        for step in (-2, -1, 1, 2):
            near = at + step
            outside = near < 0 or near >= len(words)
            row += (
                [f"{step}:edge"]
                if outside
                else [f"{step}:{feature}" for feature in own[near][: 2 if abs(step) == 2 else 9]]
            )
        if at + 1 < len(words):
            row.append(f"pair={words[at].casefold()}|{words[at + 1].casefold()}")
        rows.append(row)
    return rows


def train(layer: str, folder: Path) -> Tagger:
    """Train one layer on the train split."""
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params(SETTINGS)
    for example in examples(with_texts("train"), layer):
        trainer.append(sentence_features(example.words), example.tags)
    path = folder / f"{layer}.crfsuite"
    trainer.train(str(path))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(path))
    return lambda words: tagger.tag(sentence_features(words))


def main(
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder for <split>.jsonl")],
    split: Annotated[list[str], typer.Option(help="what to predict; may be repeated")] = ["test"],  # noqa: B006
    sources: Annotated[Path | None, typer.Option(help="the wire articles, to predict wire")] = None,
) -> None:
    """Train on train and predict."""
    with tempfile.TemporaryDirectory() as folder:
        taggers = {layer: train(layer, Path(folder)) for layer in track(TOKEN_LAYERS, description="training the CRF")}
        for name in split:
            jsonl.write_records(output / f"{name}.jsonl", predict(with_texts(name, sources), taggers, author="crf"))
            typer.echo(f"{output / name}.jsonl")


if __name__ == "__main__":
    run(main)
