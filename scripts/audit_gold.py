"""Draw the sample of the error audit, with a page for its reader; the verdicts are kept beside it."""

from pathlib import Path
from typing import Annotated

import typer

from khabar import jsonl
from khabar.audit import Question, draw
from khabar.cli import run
from khabar.corpus import gold_set
from khabar.quotes import numbered
from khabar.types import Document
from khabar.workspace import Workspace

SIZES = {"mention": 200, "event": 120, "argument": 160, "sentence": 80}
SEED = 20261125


def sample(workspace: Workspace) -> list[Question]:
    """Draw from the kept gold of both projects."""
    bare = Workspace(workspace.folder)
    composed = gold_set("composed", bare.documents("composed"), bare.stored_gold("composed"))
    recipes = bare.recipes
    wire = gold_set("wire", [item.document for item in recipes], bare.stored_gold("wire"), recipes=recipes)
    return draw((composed, wire), SIZES, seed=SEED)


def page(document: Document, questions: list[Question]) -> str:
    """Write a document's sentences and what is asked about it."""
    lines = [f"# {document.doc_id} ({document.lang}, {document.genre}, {document.outlet}, {document.date})", ""]
    lines += [numbered(document.text), ""]
    for question in questions:
        item, text = question.item, document.text
        words = text[item.start : item.end].replace("\n", " ")
        said = ", ".join(f"{name} {value}" for name, value in question.attributes.items())
        around = text[max(0, item.start - 40) : item.end + 40].replace("\n", " ")
        if question.kind == "sentence":
            lines.append(f"{question.id} sentence: «{words}»; the gold has {question.present} items in it")
        elif question.kind == "argument" and item.other:
            filler = text[item.other[0] : item.other[1]].replace("\n", " ")
            lines.append(f"{question.id} argument: trigger [{words}] {item.type} → [{filler}]   … {around} …")
        else:
            lines.append(f"{question.id} {question.kind}: [{words}] {item.type} ({said})   … {around} …")
    return "\n".join(lines) + "\n"


def main(
    annotations: Annotated[Path, typer.Option(help="the folder of documents and gold")] = Path("annotations"),
    sources: Annotated[Path | None, typer.Option(help="the wire articles, for the pages")] = None,
    pages: Annotated[Path | None, typer.Option(help="write a page for each document into this folder")] = None,
) -> None:
    """Draw the sample; it is kept as it was drawn, whatever becomes of the gold afterwards."""
    workspace = Workspace(annotations, sources)
    path = annotations / "audit" / "sample.jsonl"
    if not path.exists():
        jsonl.write_records(path, sample(workspace))
    questions = jsonl.read_list(path, Question)
    typer.echo(f"{path}: {len(questions)} questions")
    if pages is None:
        return
    for project in workspace.projects:
        for document in workspace.documents(project):
            mine = [question for question in questions if question.doc_id == document.doc_id]
            if mine:
                jsonl.write_bytes(pages / f"{document.doc_id}.txt", page(document, mine).encode())
    typer.echo(f"{pages}: {len(list(pages.glob('*.txt')))} pages; texts of wire articles are not to be shipped")


if __name__ == "__main__":
    run(main)
