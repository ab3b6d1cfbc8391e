"""The command `khabar`. The only place that prints and exits.

Exit codes: 0 all is well; 1 the input has issues (each is printed with its code); 2 the call cannot
be understood (an unknown option, a missing argument, a layer that does not exist).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from khabar import __version__
from khabar.errors import Issue, KhabarError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from khabar.corpus import GoldSet
    from khabar.types import Annotation
    from khabar.wire import WireRecipe

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


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 140)


def _print(renderable: RenderableType) -> None:
    _console().print(renderable)


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
    from khabar.evaluation import LAYERS, Tags
    from khabar.evaluation import evaluate as score
    from khabar.metrics import TOKEN_LAYERS
    from khabar.predictions import read_columns, read_predictions
    from khabar.report import result_tables

    gold = load_gold(split, gold_folder)
    title = name or predictions.stem
    if layer:
        if layers:
            raise typer.BadParameter("--layer reads columns of one layer; leave --layers out", param_hint="--layers")
        column = read_columns(predictions, _known(layer, TOKEN_LAYERS, "--layer"), gold)
        result = score(gold=gold, pred=column.annotations, layers=(layer,), name=title)
        result = msgspec.structs.replace(result, tags=Tags(tags=column.tags, orphans=column.orphans))
    else:
        wanted = [_known(item, LAYERS, "--layers") for item in layers.split(",") if item] or LAYERS
        result = score(gold=gold, pred=read_predictions(predictions), layers=wanted, name=title)
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
    predictions: Annotated[Path, typer.Argument(help="JSON lines by offsets, or IOB2 columns with --layer")],
    split: Split = "test",
    layer: Layer = "",
    constraints: Annotated[
        bool, typer.Option("--constraints", help="check role constraints and crossing spans too")
    ] = False,
    gold_folder: GoldFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check predictions without scoring them; exit code 1 where something is wrong."""
    from khabar.corpus import load_gold
    from khabar.evaluation import require_valid
    from khabar.metrics import TOKEN_LAYERS
    from khabar.predictions import read_columns, read_predictions

    gold = load_gold(split, gold_folder)
    if layer:
        system = list(read_columns(predictions, _known(layer, TOKEN_LAYERS, "--layer"), gold).annotations)
    else:
        system = read_predictions(predictions)
    require_valid(gold, system, constraints=constraints)
    missing = sorted(gold.by_id.keys() - {annotation.doc_id for annotation in system})
    if as_json:
        _print_json({"issues": [], "documents": len(system), "missing": missing})
    else:
        left = f"; not predicted: {', '.join(missing)}" if missing else ""
        typer.echo(f"{len(system)} documents, nothing wrong{left}")


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

    gold = _find(doc_id, sources, gold_folder)
    document, annotation = gold.documents[0], gold.annotations[0]
    if predictions:
        annotation = _predicted(predictions, gold)
    if page:
        jsonl.write_bytes(page, show_page(document, annotation).encode())
        typer.echo(f"written: {page}")
    else:
        _print(show_terminal(document, annotation))


def _find(doc_id: str, sources: Path | None, gold_folder: Path | None) -> GoldSet:
    from khabar.corpus import SPLITS, gold_set, load_gold
    from khabar.validate import nearest
    from khabar.wire import build

    sets = [load_gold(split, gold_folder) for split in SPLITS]
    known = {name: (gold, number) for gold in sets for number, name in enumerate(gold.by_id)}
    if doc_id not in known:
        raise KhabarError(
            Issue(
                code="document-unknown",
                where=f"document {doc_id!r}",
                found="no such document",
                expected=f"one of {len(known)} documents",
                fix=f"`khabar stats` tells what there is.{nearest(doc_id, known)}",
            )
        )
    gold, number = known[doc_id]
    document = gold.documents[number]
    if not document.text:
        recipes = [recipe for recipe in _recipes() if recipe.document.doc_id == doc_id]
        documents, issues = build(recipes, sources or Path("sources"))
        if issues:
            raise KhabarError(issues)
        document = documents[0]
    return gold_set(gold.name, [document], [gold.annotations[number]])


def _recipes() -> list[WireRecipe]:
    from khabar.corpus import wire_recipes

    return wire_recipes()


def _predicted(path: Path, gold: GoldSet) -> Annotation:
    from khabar.evaluation import require_valid
    from khabar.predictions import read_predictions
    from khabar.types import Annotation

    doc_id = gold.documents[0].doc_id
    found = [annotation for annotation in read_predictions(path) if annotation.doc_id == doc_id]
    require_valid(gold, found)
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
    from khabar.corpus import gold_set, load_gold
    from khabar.splits import document_rows
    from khabar.wire import build

    documents, issues = build(_recipes(), sources)
    gold = {annotation.doc_id: annotation for annotation in load_gold("wire").annotations}
    if documents:
        full = gold_set("wire", documents, [gold[document.doc_id] for document in documents])
        jsonl.write_records(output, document_rows(full))
    if not as_json:
        total = len(documents) + len(issues)
        typer.echo(f"{len(documents)} of {total} written to {output}" if documents else "nothing written")
    if issues:
        raise KhabarError(issues)
    if as_json:
        _print_json({"written": [document.doc_id for document in documents], "output": str(output), "issues": []})
