"""The baseline that learns: one linear-chain CRF a layer, both languages together, trained on train.

Lafferty, McCallum and Pereira (2001); CRFsuite's L-BFGS with L1 and L2 regularisation.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import pycrfsuite
import typer
from rich.progress import track

from khabar import jsonl
from khabar.cli import run
from khabar.corpus import GoldSet
from khabar.metrics import TOKEN_LAYERS
from khabar.tagging import Example, Tagger, annotator, examples, predict, with_texts
from khabar.types import Annotation, Document

ARABIC = re.compile(r"[\u0600-\u06ff]")
MARKS = re.compile(r"[\u064b-\u0652\u0670\u0640]")
PROCLITICS = re.compile(r"^(?:[وف]?[بلك]?ال|[وف][بلك]?|[بلك]|لل)(?=\w{3})")
ENDINGS = re.compile(r"(?<=\w{3})(?:ings?|ed|es|s|ers?|ments?|ations?|ions?)$")
# Chosen on the validation split among c1 0.02–0.5 and c2 0.005–0.05.
SETTINGS = {"c1": 0.2, "c2": 0.05, "max_iterations": 150, "feature.possible_transitions": True}


def shape(word: str) -> str:
    """Write a word's shape: capitals X, small letters x, digits 9, runs cut at two."""
    signs = re.sub(r"[A-ZÀ-Þ]", "X", re.sub(r"[a-zß-ÿ]", "x", re.sub(r"\d", "9", word)))
    return re.sub(r"(.)\1{2,}", r"\1\1", signs)


def stem(word: str) -> str:
    """Cut a word to a rough stem: Arabic proclitics and diacritics, English endings."""
    form = MARKS.sub("", word).casefold()
    if ARABIC.search(word):
        return PROCLITICS.sub("", form)
    return ENDINGS.sub("", form)


def word_features(word: str) -> list[str]:
    """Describe one word by itself: its form, ends, shape and stem."""
    form = MARKS.sub("", word).casefold()
    ends = [f"{name}{n}={part}" for n in (2, 3, 4) for name, part in (("s", form[-n:]), ("p", form[:n]))]
    return [
        f"w={form}",
        f"stem={stem(word)}",
        f"shape={shape(word)}",
        *ends,
        *(["arabic"] if ARABIC.search(word) else []),
    ]


Lexicon = Mapping[str, Counter[str]]


def learn_lexicon(rows: Iterable[Example]) -> dict[str, Counter[str]]:
    """Count the tags of each stem."""
    lexicon: dict[str, Counter[str]] = {}
    for row in rows:
        for word, tag in zip(row.words, row.tags, strict=True):
            lexicon.setdefault(stem(word), Counter())[tag] += 1
    return lexicon


def lexicon_features(word: str, lexicon: Lexicon, own: Lexicon) -> list[str]:
    """Say what a stem is elsewhere: its commonest tag but O, and how often it is O.

    In training, `own` is taken off: the counts of the document itself, which would give it away.
    """
    key = stem(word)
    counts = lexicon.get(key, Counter()) - own.get(key, Counter())
    outside = counts.pop("O", 0)
    if not counts:
        return ["lex=O" if outside else "lex=unseen"]
    tag, times = max(counts.items(), key=lambda pair: (pair[1], pair[0]))
    share = times / (outside + counts.total())
    return [f"lex={tag}", f"lex={tag[2:]}", f"share={'often' if share > 0.6 else 'half' if share > 0.3 else 'seldom'}"]


def sentence_features(words: Sequence[str], lexicon: Lexicon, own_counts: Lexicon) -> list[list[str]]:
    """Describe each word with its neighbours, two to either side."""
    own = [[*lexicon_features(word, lexicon, own_counts), *word_features(word)] for word in words]
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


def train(layer: str, folder: Path, gold: GoldSet | None = None) -> Tagger:
    """Train one layer on the train split, or on another gold set."""
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params(SETTINGS)
    rows = examples(gold or with_texts("train"), layer)
    lexicon = learn_lexicon(rows)
    for _, group in groupby(rows, key=lambda row: row.doc_id):
        document = list(group)
        own = learn_lexicon(document)
        for row in document:
            trainer.append(sentence_features(row.words, lexicon, own), row.tags)
    path = folder / f"{layer}.crfsuite"
    trainer.train(str(path))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(path))
    return lambda words: tagger.tag(sentence_features(words, lexicon, {}))


def load() -> Callable[[Document], Annotation]:
    """Give the model that `khabar serve-model` and pre-annotation ask for."""
    with tempfile.TemporaryDirectory() as folder:  # CRFsuite reads a trained layer into memory as it opens it
        return annotator({layer: train(layer, Path(folder)) for layer in TOKEN_LAYERS}, author="crf")


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
