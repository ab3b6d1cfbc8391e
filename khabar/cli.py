"""The command `khabar`. The only place that prints and exits.

Exit codes: 0 all is well; 1 the input has issues (each is printed); 2 the call is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from khabar import __version__
from khabar.errors import Issue, KhabarError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Events, actors and claims in conflict reporting: look at the data, validate and score predictions.",
)
wire_app = typer.Typer(no_args_is_help=True, help="The wire test set: real news, rebuilt from your own copies.")
app.add_typer(wire_app, name="wire")

Split = Annotated[str, typer.Option(help="train, validation, test or wire")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Layer = Annotated[str, typer.Option(help="for IOB2 columns: actors, fillers or triggers")]
GoldFolder = Annotated[Path | None, typer.Option(help="a release of the splits other than this installation's")]


def main() -> None:
    """Run the command `khabar`."""
    run(app)


def run(command: Callable[..., object]) -> None:
    """Run a Typer command; issues are printed one a line and end with exit code 1.

    Args:
        command: a Typer app, or a function whose parameters are its options (the scripts').
    """
    try:
        command() if isinstance(command, typer.Typer) else typer.run(command)
    except KhabarError as error:
        _print_issues(error.issues)
        sys.exit(1)


def _print_issues(issues: tuple[Issue, ...] | list[Issue]) -> None:
    if "--json" in sys.argv:
        _print_json({"issues": issues})
        return
    for issue in issues:
        typer.echo(issue.message, err=True)
    typer.echo(f"{len(issues)} issue{'s' * (len(issues) != 1)}", err=True)


def _print_json(value: object) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=1).decode())


def _console() -> object:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 140, soft_wrap=False)


def _print(renderable: object) -> None:
    _console().print(renderable)  # type: ignore[attr-defined]


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        typer.echo(f"khabar {__version__}")
        raise typer.Exit


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Argument(help="JSON lines by offsets, or IOB2 columns with --layer")],
    split: Split = "test",
    layer: Layer = "",
    layers: Annotated[str, typer.Option(help="which layers the predictions speak of, with commas")] = "",
    name: Annotated[str, typer.Option(help="what to call the system; the file's name by default")] = "",
    types: Annotated[bool, typer.Option("--types", help="a row for each type")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write the result as JSON")] = None,
    gold_folder: GoldFolder = None,
    as_json: AsJson = False,
) -> None:
    """Score predictions on a split and print a table, a signature, or JSON."""
    from khabar import jsonl
    from khabar.corpus import load_gold
    from khabar.evaluation import LAYERS
    from khabar.evaluation import evaluate as score
    from khabar.predictions import read_columns, read_predictions
    from khabar.report import result_tables

    gold = load_gold(split, gold_folder)
    if layer:
        column = read_columns(predictions, _known(layer, LAYERS[:3], "--layer"), gold)
        result = score(gold=gold, pred=column.annotations, layers=(layer,), name=name or predictions.stem)
        if column.orphans and not as_json:
            typer.echo(
                f"{column.orphans} of {column.tags} tags are I- tags that continue nothing: strict IOB2 ignores them.",
                err=True,
            )
    else:
        wanted = [_known(name, LAYERS, "--layers") for name in layers.split(",") if name] or list(LAYERS)
        result = score(gold=gold, pred=read_predictions(predictions), layers=wanted, name=name or predictions.stem)
    if output:
        jsonl.write_json(output, result)
    if as_json:
        _print_json(result)
    else:
        _print(result_tables(result, types=types))
        typer.echo(result.signature)


def _known(name: str, choices: tuple[str, ...], option: str) -> str:
    from khabar.validate import nearest

    if name not in choices:
        raise typer.BadParameter(
            f"{name!r} is not one of {', '.join(choices)}.{nearest(name, choices)}", param_hint=option
        )
    return name


@app.command()
def validate(
    predictions: Annotated[Path, typer.Argument(help="JSON lines by offsets")],
    split: Split = "test",
    constraints: Annotated[
        bool, typer.Option("--constraints", help="check role constraints and crossing spans too")
    ] = False,
    gold_folder: GoldFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check predictions without scoring them; exit code 1 where something is wrong."""
    from khabar.corpus import index, load_gold
    from khabar.predictions import read_predictions
    from khabar.validate import check_annotation, check_set

    gold = load_gold(split, gold_folder)
    documents = index(gold.documents)
    system = read_predictions(predictions)
    issues = list(check_set(system, documents, complete=False))
    for annotation in system:
        issues += check_annotation(annotation, documents.get(annotation.doc_id), constraints=constraints)
    missing = sorted(documents.keys() - {annotation.doc_id for annotation in system})
    if issues:
        raise KhabarError(issues)
    if as_json:
        _print_json({"issues": [], "documents": len(system), "missing": missing})
    else:
        typer.echo(
            f"{len(system)} documents, nothing wrong" + (f"; not predicted: {', '.join(missing)}" if missing else "")
        )


@app.command()
def stats(gold_folder: GoldFolder = None, as_json: AsJson = False) -> None:
    """Print what each split holds: documents, types, roles, attributes."""
    from khabar.corpus import SPLITS, load_gold
    from khabar.describe import describe
    from khabar.report import description_table

    descriptions = [describe(load_gold(split, gold_folder)) for split in SPLITS]
    if as_json:
        _print_json(descriptions)
    else:
        _print(description_table(descriptions))


@app.command()
def show(
    doc_id: Annotated[str, typer.Argument(help="a document of any split")],
    predictions: Annotated[Path | None, typer.Option(help="show these predictions instead of the gold")] = None,
    page: Annotated[Path | None, typer.Option(help="write an HTML page instead")] = None,
    sources: Annotated[Path | None, typer.Option(help="the folder of the wire articles, for a wire document")] = None,
    gold_folder: GoldFolder = None,
) -> None:
    """Show a document with its spans in colour, in the terminal or as a page."""
    from khabar import jsonl
    from khabar.report import show_page, show_terminal

    document, annotation = _find(doc_id, sources, gold_folder)
    if predictions:
        annotation = _predicted(predictions, doc_id)
    if page:
        jsonl.write_bytes(page, show_page(document, annotation).encode())
        typer.echo(f"written: {page}")
    else:
        _print(show_terminal(document, annotation))


def _find(doc_id: str, sources: Path | None, gold_folder: Path | None):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from khabar.corpus import SPLITS, load_gold, wire_recipes
    from khabar.validate import nearest
    from khabar.wire import build

    sets = [load_gold(split, gold_folder) for split in SPLITS]
    for gold in sets:
        for document, annotation in zip(gold.documents, gold.annotations, strict=True):
            if document.doc_id == doc_id:
                if document.text:
                    return document, annotation
                recipes = [recipe for recipe in wire_recipes() if recipe.document.doc_id == doc_id]
                built, issues = build(recipes, sources or Path("sources"))
                if issues:
                    raise KhabarError(issues)
                return built[0], annotation
    known = [document.doc_id for gold in sets for document in gold.documents]
    raise KhabarError(
        Issue(
            code="document-unknown",
            where=f"document {doc_id!r}",
            found="no such document",
            expected=f"one of {len(known)} documents",
            fix=f"`khabar stats` tells what there is.{nearest(doc_id, known)}",
        )
    )


def _predicted(path: Path, doc_id: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from khabar.predictions import read_predictions
    from khabar.types import Annotation

    found = [annotation for annotation in read_predictions(path) if annotation.doc_id == doc_id]
    return found[0] if found else Annotation(doc_id=doc_id)


@wire_app.command("build")
def wire_build(
    sources: Annotated[Path, typer.Option(help="the folder with the articles' files")],
    output: Annotated[Path, typer.Option("--output", "-o", help="where to write the full records")] = Path(
        "wire_documents.jsonl"
    ),
    as_json: AsJson = False,
) -> None:
    """Rebuild the wire documents with their texts; name each article that is missing or differs."""
    from khabar import jsonl
    from khabar.corpus import load_gold, wire_recipes
    from khabar.wire import build

    documents, issues = build(wire_recipes(), sources)
    gold = {annotation.doc_id: annotation for annotation in load_gold("wire").annotations}
    if documents:
        jsonl.write_records(
            output, [{"document": document, "annotation": gold[document.doc_id]} for document in documents]
        )
    if not as_json:
        typer.echo(
            f"{len(documents)} of {len(documents) + len(issues)} wire documents written to {output}"
            if documents
            else "nothing written"
        )
    if issues:
        raise KhabarError(issues)
    if as_json:
        _print_json({"written": [document.doc_id for document in documents], "output": str(output), "issues": []})
