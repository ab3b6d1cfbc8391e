"""The floor: what was marked in train is marked again, the longest match first."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from khabar import jsonl
from khabar.cli import run
from khabar.metrics import TOKEN_LAYERS
from khabar.tagging import Example, Tagger, annotator, examples, predict, with_texts
from khabar.types import Annotation, Document

LONGEST = 8
Phrase = tuple[str, ...]


def phrases(example: Example) -> list[tuple[Phrase, str]]:
    """List the marked phrases of a sentence with their types."""
    found: list[tuple[list[str], str]] = []
    for word, tag in zip(example.words, example.tags, strict=True):
        if tag.startswith("B-"):
            found.append(([word.casefold()], tag[2:]))
        elif tag.startswith("I-"):
            found[-1][0].append(word.casefold())
    return [(tuple(words), name) for words, name in found]


def learn(rows: Sequence[Example]) -> dict[Phrase, str]:
    """Keep each phrase that is marked at least every second time it occurs, with its commonest type."""
    marked: dict[Phrase, Counter[str]] = {}
    seen: Counter[Phrase] = Counter()
    for row in rows:
        words = [word.casefold() for word in row.words]
        seen.update(
            tuple(words[at:to]) for at in range(len(words)) for to in range(at + 1, min(len(words), at + LONGEST) + 1)
        )
        for phrase, name in phrases(row):
            marked.setdefault(phrase, Counter())[name] += 1
    return {phrase: names.most_common(1)[0][0] for phrase, names in marked.items() if 2 * names.total() >= seen[phrase]}


def look_up(known: dict[Phrase, str]) -> Tagger:
    """Make a tagger of a dictionary."""

    def tag(words: Sequence[str]) -> list[str]:
        folded = [word.casefold() for word in words]
        tags = ["O"] * len(words)
        at = 0
        while at < len(words):
            sizes = range(min(LONGEST, len(words) - at), 0, -1)
            size = next((size for size in sizes if tuple(folded[at : at + size]) in known), 0)
            if size:
                name = known[tuple(folded[at : at + size])]
                tags[at : at + size] = [f"B-{name}"] + [f"I-{name}"] * (size - 1)
            at += size or 1
        return tags

    return tag


def taught() -> dict[str, Tagger]:
    """Learn every layer from train."""
    return {layer: look_up(learn(examples(with_texts("train"), layer))) for layer in TOKEN_LAYERS}


def load() -> Callable[[Document], Annotation]:
    """Give the model that `khabar serve-model` and pre-annotation ask for."""
    return annotator(taught(), author="dictionary")


def main(
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder for <split>.jsonl")],
    split: Annotated[list[str], typer.Option(help="what to predict; may be repeated")] = ["test"],  # noqa: B006
    sources: Annotated[Path | None, typer.Option(help="the wire articles, to predict wire")] = None,
) -> None:
    """Learn from train and predict."""
    taggers = taught()
    for name in split:
        jsonl.write_records(output / f"{name}.jsonl", predict(with_texts(name, sources), taggers, author="dictionary"))
        typer.echo(f"{output / name}.jsonl")


if __name__ == "__main__":
    run(main)
