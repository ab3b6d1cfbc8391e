"""Draw the sample of the error audit, write its pages for a blind reader, and then what is to be judged."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from khabar import jsonl
from khabar.adjudicate import Item, attributes_of, items_of
from khabar.align import sentences
from khabar.audit import Question, attributes_at, draw, read_alike, within
from khabar.cli import run
from khabar.corpus import gold_set
from khabar.quotes import numbered
from khabar.types import Annotation, Document
from khabar.workspace import Workspace

SIZES = {"mention": 150, "event": 75, "argument": 120, "sentence": 60}


def sample(workspace: Workspace, seed: int) -> list[Question]:
    """Draw from the kept gold of both projects."""
    bare = Workspace(workspace.folder)
    composed = gold_set("composed", bare.documents("composed"), bare.stored_gold("composed"))
    recipes = bare.recipes
    wire = gold_set("wire", [item.document for item in recipes], bare.stored_gold("wire"), recipes=recipes)
    return draw((composed, wire), SIZES, seed=seed)


def _sentences(document: Document, question: Question) -> list[int]:
    start, end = question.item.start, question.item.end
    spans = list(enumerate(sentences(document.text), 1))
    return [number for number, span in spans if span.start < end and start < span.end]


def blind_page(document: Document, questions: Sequence[Question]) -> str:
    """Write a document's sentences, and the numbers of those to be annotated, without anything of the gold."""
    wanted = sorted({number for question in questions for number in _sentences(document, question)})
    return f"{_head(document)}\nAnnotate completely: {', '.join(map(str, wanted))}\n\n{numbered(document.text)}"


def _head(document: Document) -> str:
    return f"# {document.doc_id} ({document.lang}, {document.genre}, {document.outlet}, {document.date})"


def judging_page(document: Document, questions: Sequence[Question], reading: Annotation) -> str:
    """Write what the blind reader marked otherwise than the gold, question by question."""
    open_questions = [question for question in questions if not read_alike(question, reading)]
    if not open_questions:
        return ""
    parts = [f"{_head(document)}\n\n{numbered(document.text)}"]
    for question in open_questions:
        lines = _lines(document, question, reading)
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _lines(document: Document, question: Question, reading: Annotation) -> list[str]:
    text = document.text
    marked, values = items_of(reading), attributes_of(reading)
    item = question.item
    where = "/".join(map(str, _sentences(document, question)))
    if question.kind == "sentence":
        extra = sorted(within(marked, item.start, item.end) - set(question.items))
        have = "; ".join(_named(each, text) for each in question.items)
        return [
            f"{question.id} SENTENCE [{where}] has: {have or 'nothing'}",
            *(f"    proposed besides: {_named(each, text)}" for each in extra),
        ]
    near = sorted(each for each in marked if _near(each, item))
    gold = [_named(item, text) + _said(question.attributes)]
    other = [_named(each, text) + _said(attributes_at(each, values)) for each in near] or ["nothing there"]
    versions = (gold, other) if gold_first(question) else (other, gold)
    return [
        f"{question.id} {question.kind.upper()} [{where}]",
        *(f"    {name}: {'; '.join(version)}" for name, version in zip("AB", versions, strict=True)),
    ]


def gold_first(question: Question) -> bool:
    """Tell whether version A of a judging page is the gold's: a hash decides, so that the judge cannot know."""
    return hashlib.sha256(f"{question.id}{question.doc_id}".encode()).digest()[0] % 2 == 0


def _near(each: Item, item: Item) -> bool:
    if each.kind != item.kind:
        return False
    if item.kind == "argument" and item.other and each.other:
        trigger = each.start < item.end and item.start < each.end
        return trigger and (each.type == item.type or each.other == item.other)
    return each.start < item.end and item.start < each.end


def _named(item: Item, text: str) -> str:
    words = " ".join(text[item.start : item.end].split())
    if item.other:
        filler = " ".join(text[item.other[0] : item.other[1]].split())
        return f"argument [{words}] {item.type} -> [{filler}]"
    return f"{item.kind} [{words}] {item.type}"


def _said(attributes: Mapping[str, str]) -> str:
    return f" ({', '.join(f'{name} {value}' for name, value in attributes.items())})" if attributes else ""


def _write(folder: Path, pages: Mapping[str, str]) -> None:
    for name, text in pages.items():
        if text:
            jsonl.write_bytes(folder / f"{name}.txt", text.encode())
    typer.echo(f"{folder}: {sum(map(bool, pages.values()))} pages; texts of wire articles are not to be shipped")


def main(
    name: Annotated[str, typer.Argument(help="of the audit, and of its folder: first, second …")],
    seed: Annotated[int | None, typer.Option(help="of the draw, where there is no sample yet; a new one")] = None,
    annotations: Annotated[Path, typer.Option(help="the folder of documents and gold")] = Path("annotations"),
    sources: Annotated[Path | None, typer.Option(help="the wire articles, for the pages")] = None,
    blind: Annotated[Path | None, typer.Option(help="write the blind reader's pages into this folder")] = None,
    judge: Annotated[Path | None, typer.Option(help="write what readings.jsonl has otherwise into this folder")] = None,
) -> None:
    """Draw the sample; it is kept as it was drawn, whatever becomes of the gold afterwards."""
    workspace, folder = Workspace(annotations, sources), annotations / "audit" / name
    path = folder / "sample.jsonl"
    if not path.exists():
        if seed is None:
            raise typer.BadParameter(f"{path} is not there: give --seed to draw a sample")
        jsonl.write_records(path, sample(workspace, seed), canary=True)
    asked: dict[str, list[Question]] = {}
    for question in jsonl.read_list(path, Question):
        asked.setdefault(question.doc_id, []).append(question)
    typer.echo(f"{path}: {sum(map(len, asked.values()))} questions in {len(asked)} documents")
    if blind is None and judge is None:
        return
    documents = [item for project in workspace.projects for item in workspace.documents(project)]
    chosen = [document for document in documents if document.doc_id in asked]
    if blind is not None:
        _write(blind, {item.doc_id: blind_page(item, asked[item.doc_id]) for item in chosen})
    if judge is not None:
        readings = {item.doc_id: item for item in jsonl.read_list(folder / "readings.jsonl", Annotation)}
        _write(judge, {d.doc_id: judging_page(d, asked[d.doc_id], readings[d.doc_id]) for d in chosen})


if __name__ == "__main__":
    run(main)
