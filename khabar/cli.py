"""The command `khabar`. The only place that prints and exits.

Exit codes: 0 all is well; 1 the input has issues (each is printed with its code); 2 the call cannot
be understood (an unknown option, a missing argument, a layer that does not exist).
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from khabar import __version__
from khabar.cli_campaign import campaign_app
from khabar.console import show_json, show_table, working
from khabar.errors import Issue, KhabarError

if TYPE_CHECKING:
    from khabar.agreement import AgreementReport
    from khabar.corpus import GoldSet
    from khabar.evaluation import Evaluation
    from khabar.inputs import ReadOptions
    from khabar.results import Result, Settings
    from khabar.types import Annotation, Document
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
app.add_typer(campaign_app, name="campaign")

Split = Annotated[str, typer.Option(help="train, validation, test or wire")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Layer = Annotated[str, typer.Option(help="for IOB2 columns: actors, fillers or triggers")]
GoldFolder = Annotated[Path | None, typer.Option(help="a release of the splits other than this installation's")]


def main() -> None:
    """Run the command `khabar`."""
    # A short run makes many objects and few cycles: collecting as often as Python does costs a twentieth of it.
    gc.set_threshold(100_000, 20, 20)
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
        show_json({"issues": issues})
        return
    for issue in issues:
        typer.echo(issue.message, err=True)
    typer.echo(f"{len(issues)} issue{'s' * (len(issues) != 1)}", err=True)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        typer.echo(f"khabar {__version__}")
        raise typer.Exit


Predicted = Annotated[Path | None, typer.Argument(help="the predictions: a file, or a folder of brat's")]
PredFile = Annotated[Path | None, typer.Option("--pred", help="the predictions, as an option")]
GoldFile = Annotated[Path | None, typer.Option("--gold", help="other people's gold instead of a split of khabar's")]
FORMAT_HELP = "of the predictions: jsonl, columns, lists, pipeline, quotes or brat; else by the file's name"
GoldFormat = Annotated[
    str,
    typer.Option(help="of --gold: jsonl, columns, lists, brat, wikievents, muc4 or plover; else by the file's name"),
]
Scheme = Annotated[str, typer.Option(help="of tags: IOB2, IOBES or BILOU")]
Column = Annotated[int, typer.Option(help="which column holds the tag, from 0; negative from the end")]
WordColumn = Annotated[int, typer.Option(help="which column holds the word")]
Realign = Annotated[bool, typer.Option("--realign", help="find tokens that are not the gold's in the text")]
Ambiguous = Annotated[str, typer.Option(help="quotes that stand more than once: refuse or in-order")]
By = Annotated[str, typer.Option(help="spans of WikiEvents by characters or by tokens")]
Sources = Annotated[
    Path | None, typer.Option(help="the folder of the wire articles: their texts are used where needed")
]
Unit = Annotated[str, typer.Option(help="what is resampled: doc, or a field of the documents (storyline)")]
IntervalMethod = Annotated[str, typer.Option("--interval", help="percentile or bca")]
Resamples = Annotated[int, typer.Option(min=1, help="of the bootstrap")]
Seed = Annotated[int, typer.Option(min=0, help="of the bootstrap")]
SliceFields = Annotated[
    list[str] | None, typer.Option("--slice", help="slice by this field of the documents too; can be repeated")
]
MarkdownFile = Annotated[Path | None, typer.Option("--markdown", help="write a report in Markdown")]
PageFile = Annotated[
    Path | None, typer.Option("--html", help="write one self-contained page, with every error in context")
]
Annotations = Annotated[
    list[Path], typer.Argument(help="annotations (JSON lines by offsets), of several authors or one file for each")
]
OutputFile = Annotated[Path | None, typer.Option("--output", "-o", help="write the result as JSON")]


@app.command()
def evaluate(
    predictions: Predicted = None,
    pred: PredFile = None,
    gold: GoldFile = None,
    split: Split = "test",
    layer: Layer = "",
    layers: Annotated[str, typer.Option(help="which layers the predictions speak of, with commas")] = "",
    format_: Annotated[str, typer.Option("--format", help=FORMAT_HELP)] = "",
    gold_format: GoldFormat = "",
    scheme: Scheme = "IOB2",
    column: Column = -1,
    word_column: WordColumn = 0,
    realign: Realign = False,
    ambiguous: Ambiguous = "refuse",
    by: By = "characters",
    triggers: Annotated[
        str, typer.Option(help="predicted (end to end), or gold: the system was given them")
    ] = "predicted",
    name: Annotated[str, typer.Option(help="what to call the system; the file's name by default")] = "",
    run_name: Annotated[str, typer.Option("--run", help="which run of the system it is (its seed)")] = "",
    unit: Unit = "doc",
    interval: IntervalMethod = "percentile",
    resamples: Resamples = 1000,
    seed: Seed = 12345,
    slice_: SliceFields = None,
    types: Annotated[bool, typer.Option("--types", help="a row for each type")] = False,
    slices: Annotated[bool, typer.Option("--slices", help="show the slices")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="show kinds of error and confusions")] = False,
    check_seqeval: Annotated[
        bool, typer.Option("--check-seqeval", help="let seqeval count as well; fail if a figure differs")
    ] = False,
    output: OutputFile = None,
    markdown: MarkdownFile = None,
    page: PageFile = None,
    sources: Sources = None,
    gold_folder: GoldFolder = None,
    as_json: AsJson = False,
) -> None:
    """Score predictions on a split, or against other people's gold."""
    path = _one_path(predictions, pred)
    options = _read_options(format_, scheme, column, word_column, layer, realign, ambiguous, by)
    settings = _settings(unit, interval, resamples, seed, triggers, slice_)
    with working("reading the gold") as say:
        reference = _reference(gold, gold_format, split, options, sources, gold_folder)
        say("reading and scoring the predictions")
        evaluation = _examine(path, reference, options, settings, layers, name=name, run_name=run_name)
        say("writing reports")
        _write_reports(evaluation, output=output, markdown=markdown, page=page)
    if check_seqeval:
        _check_seqeval(evaluation)
    if as_json:
        show_json(evaluation.result)
        return
    from khabar.report.terminal import result_tables

    show_table(result_tables(evaluation.result, types=types, slices=slices or bool(slice_), errors=errors))
    typer.echo(evaluation.result.signature)


def _one_path(argument: Path | None, option: Path | None) -> Path:
    if (argument is None) == (option is None):
        raise typer.BadParameter("give the predictions once, as an argument or as --pred", param_hint="PREDICTIONS")
    return argument or option or Path()


def _read_options(
    format_: str, scheme: str, column: int, word_column: int, layer: str, realign: bool, ambiguous: str, by: str
) -> ReadOptions:
    from khabar.inputs import FORMATS, ReadOptions
    from khabar.metrics import TOKEN_LAYERS
    from khabar.metrics.tags import SCHEMES

    return ReadOptions(
        format=_known(format_, FORMATS, "--format") if format_ else "",
        scheme=_known(scheme.upper(), SCHEMES, "--scheme"),
        column=column,
        word_column=word_column,
        layer=_known(layer, TOKEN_LAYERS, "--layer") if layer else "",
        realign=realign,
        ambiguous=_known(ambiguous, ("refuse", "in-order"), "--ambiguous"),
        by=_known(by, ("characters", "tokens"), "--by"),
    )


def _reference(
    gold: Path | None,
    gold_format: str,
    split: str,
    options: ReadOptions,
    sources: Path | None,
    gold_folder: Path | None,
) -> GoldSet:
    from khabar.corpus import load_gold
    from khabar.inputs import read_gold_file

    if gold is not None:
        return read_gold_file(gold, msgspec.structs.replace(options, format=gold_format))
    found = load_gold(split, gold_folder)
    if split != "wire" or sources is None:
        return found
    from khabar.wire import build

    documents, issues = build(_recipes(), sources)
    if issues:
        raise KhabarError(issues)
    return msgspec.structs.replace(found, documents=tuple(documents))


def _settings(unit: str, interval: str, resamples: int, seed: int, triggers: str, slices: list[str] | None) -> Settings:
    from khabar.results import DEFAULT_SLICES, Settings

    return Settings(
        unit=unit,
        interval=_known(interval, ("percentile", "bca"), "--interval"),
        resamples=resamples,
        seed=seed,
        triggers=_known(triggers, ("predicted", "gold"), "--triggers"),
        slices=tuple(dict.fromkeys((*DEFAULT_SLICES, *(slices or ())))),
    )


def _examine(
    path: Path,
    reference: GoldSet,
    options: ReadOptions,
    settings: Settings,
    layers: str,
    *,
    name: str,
    run_name: str,
) -> Evaluation:
    from khabar.evaluation import available_layers, examine
    from khabar.inputs import read_predictions

    if options.layer and layers:
        raise typer.BadParameter("--layer reads one layer; leave --layers out", param_hint="--layers")
    known = available_layers(reference)
    chosen = (
        [options.layer] if options.layer else [_known(item, known, "--layers") for item in layers.split(",") if item]
    )
    return examine(
        gold=reference,
        pred=read_predictions(path, reference, options),
        layers=chosen or None,
        name=name or path.stem,
        run=run_name,
        settings=settings,
    )


def _check_seqeval(evaluation: Evaluation) -> None:
    from khabar.tagview import check_seqeval

    issues = check_seqeval(evaluation.reference, evaluation.predictions, evaluation.result)
    if issues:
        raise KhabarError(issues)
    typer.echo("seqeval itself gives the same figures", err=True)


def _write_reports(evaluation: Evaluation, *, output: Path | None, markdown: Path | None, page: Path | None) -> None:
    from khabar import jsonl
    from khabar.results import encode_result

    if output:
        jsonl.write_bytes(output, encode_result(evaluation.result))
    if markdown:
        from khabar.report.markdown import evaluation_markdown

        text = evaluation_markdown(evaluation.result, evaluation.findings, evaluation.reference)
        jsonl.write_bytes(markdown, text.encode())
    if page:
        from khabar.report.page import evaluation_page

        html = evaluation_page(evaluation.result, evaluation.reference, evaluation.findings)
        jsonl.write_bytes(page, html.encode())


@app.command()
def compare(
    results: Annotated[
        list[Path], typer.Argument(help="results (JSON) of two systems or more; several runs of one are averaged")
    ],
    metric: Annotated[list[str] | None, typer.Option(help="which metric; can be repeated")] = None,
    permutations: Annotated[int, typer.Option(min=1, help="for each test")] = 10_000,
    alpha: Annotated[float, typer.Option(min=0, max=1, help="level at which a difference counts as shown")] = 0.05,
    as_json: AsJson = False,
) -> None:
    """Test whether systems differ, paired by document, with Holm's correction."""
    from khabar.comparison import compare as contrast

    comparison = contrast(
        [_read_result(path) for path in results], metrics=metric or (), permutations=permutations, alpha=alpha
    )
    if as_json:
        show_json(comparison)
        return
    from khabar.report.terminal import comparison_tables

    show_table(comparison_tables(comparison))
    typer.echo(comparison.signature)


def _read_result(path: Path) -> Result:
    from khabar import jsonl
    from khabar.results import Result

    return jsonl.read_json(path, Result)


@app.command()
def recompute(
    result: Annotated[Path, typer.Argument(help="a result as JSON")],
    unit: Annotated[str, typer.Option(help="resample this instead: doc, or a field of the documents")] = "",
    interval: Annotated[str, typer.Option(help="percentile or bca instead")] = "",
    resamples: Annotated[int, typer.Option(min=0, help="of the bootstrap, instead; 0 for the result's own")] = 0,
    slice_: SliceFields = None,
    output: OutputFile = None,
    as_json: AsJson = False,
) -> None:
    """Compute a result's figures again from its counts; exit code 1 where the stored ones differ."""
    from khabar import jsonl
    from khabar.comparison import differing_figures
    from khabar.comparison import recompute as again
    from khabar.results import encode_result

    stored = _read_result(result)
    own = stored.settings
    settings = msgspec.structs.replace(
        own,
        unit=unit or own.unit,
        interval=_known(interval, ("percentile", "bca"), "--interval") if interval else own.interval,
        resamples=resamples or own.resamples,
        slices=tuple(dict.fromkeys((*own.slices, *(slice_ or ())))),
    )
    computed = again(stored, settings)
    differing = differing_figures(stored, computed) if settings == own else []
    if differing:
        raise KhabarError(_differs(result, differing))
    if output:
        jsonl.write_bytes(output, encode_result(computed))
    if as_json:
        show_json(computed)
        return
    from khabar.report.terminal import result_tables

    show_table(result_tables(computed, slices=bool(slice_)))
    typer.echo(computed.signature)
    typer.echo("the same as stored" if settings == own else "computed with other settings than stored")


def _differs(path: Path, parts: list[str]) -> Issue:
    return Issue(
        code="result-differs",
        where=str(path),
        found=f"other figures in {', '.join(parts)}",
        expected="what the counts of its documents give",
        fix="Somebody edited the figures, or another version made them; score the predictions again.",
    )


@app.command()
def leaderboard(
    folder: Annotated[Path, typer.Argument(help="results (*.json) in this folder and below")] = Path("evaluation"),
    markdown: Annotated[bool, typer.Option("--markdown", help="print Markdown")] = False,
    as_json: AsJson = False,
) -> None:
    """Rank stored results; each is computed again first, and refused where its figures differ."""
    from khabar.comparison import differing_figures
    from khabar.comparison import recompute as again
    from khabar.report.figures import leaderboard_rows, markdown_table
    from khabar.report.terminal import leaderboard_table

    paths = [path for path in sorted(folder.rglob("*.json")) if path.parent.name == "results"]
    results = [(path, _read_result(path)) for path in paths]
    issues = [_differs(path, parts) for path, result in results if (parts := differing_figures(result, again(result)))]
    if not results:
        issues.append(_no_results(folder))
    if issues:
        raise KhabarError(issues)
    head, rows = leaderboard_rows([result for _, result in results])
    if as_json:
        show_json([dict(zip(head, row, strict=True)) for row in rows])
    elif markdown:
        typer.echo(markdown_table(head, rows), nl=False)
    else:
        show_table(leaderboard_table([result for _, result in results]))


def _no_results(folder: Path) -> Issue:
    return Issue(
        code="file-missing",
        where=str(folder),
        found="no results/*.json",
        expected="results as `khabar evaluate --output` writes them",
        fix="Name the folder that holds the systems' folders.",
    )


def _known(name: str, choices: tuple[str, ...], option: str) -> str:
    from khabar.validate import nearest

    if name not in choices:
        raise typer.BadParameter(
            f"{name!r} is not one of {', '.join(choices)}.{nearest(name, choices)}", param_hint=option
        )
    return name


@app.command()
def validate(
    predictions: Predicted = None,
    pred: PredFile = None,
    gold: GoldFile = None,
    split: Split = "test",
    layer: Layer = "",
    format_: Annotated[str, typer.Option("--format", help=FORMAT_HELP)] = "",
    gold_format: GoldFormat = "",
    scheme: Scheme = "IOB2",
    column: Column = -1,
    word_column: WordColumn = 0,
    realign: Realign = False,
    ambiguous: Ambiguous = "refuse",
    by: By = "characters",
    constraints: Annotated[
        bool, typer.Option("--constraints", help="check role constraints and crossing spans too")
    ] = False,
    sources: Sources = None,
    gold_folder: GoldFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check predictions without scoring them; exit code 1 where something is wrong."""
    from khabar.evaluation import require_valid
    from khabar.inputs import read_predictions

    options = _read_options(format_, scheme, column, word_column, layer, realign, ambiguous, by)
    reference = _reference(gold, gold_format, split, options, sources, gold_folder)
    system = read_predictions(_one_path(predictions, pred), reference, options)
    require_valid(reference, system.annotations, constraints=constraints)
    missing = sorted(reference.by_id.keys() - {annotation.doc_id for annotation in system.annotations})
    if as_json:
        counts = {"documents": len(system.annotations), "missing": missing, "unplaced": system.unplaced}
        show_json({"issues": [], **counts, "tags": system.tags})
        return
    left = f"; not predicted: {', '.join(missing)}" if missing else ""
    typer.echo(f"{len(system.annotations)} documents, nothing wrong{left}")
    for item in system.unplaced:
        typer.echo(f"no place: document {item.doc_id}, {item.layer} {item.type} {item.quote!r}: {item.reason}")


@app.command()
def agreement(
    annotations: Annotations,
    documents: Annotated[
        Path | None, typer.Option(help="the documents (JSON lines) where they are not khabar's own")
    ] = None,
    unit: Unit = "doc",
    gamma: Annotated[bool, typer.Option(help="compute gamma as well, which takes longest")] = True,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write the report as JSON")] = None,
    markdown: MarkdownFile = None,
    page: Annotated[
        Path | None, typer.Option("--html", help="write one self-contained page, with the differences in their texts")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how far annotators agree, with the number of items behind each figure."""
    from khabar.agreement import measure
    from khabar.results import Settings

    with working("reading") as say:
        known = _known_documents(documents)
        work = _read_work(annotations, known)
        say("counting")
        report = measure(
            work, known, gamma=gamma, settings=Settings(unit=unit), tick=lambda doc_id: say(f"gamma of {doc_id}")
        )
        say("writing reports")
        _write_agreement(report, work, known, output=output, markdown=markdown, page=page)
    if as_json:
        show_json(report)
        return
    from khabar.report.agreement import agreement_tables

    show_table(agreement_tables(report))


def _known_documents(path: Path | None) -> dict[str, Document]:
    from khabar import jsonl
    from khabar.corpus import SPLITS, load_gold
    from khabar.types import Document
    from khabar.validate import check_documents

    if path is None:
        return {document.doc_id: document for split in SPLITS for document in load_gold(split).documents}
    found = jsonl.read_list(path, Document)
    issues = list(check_documents(found))
    if issues:
        raise KhabarError(issues)
    return {document.doc_id: document for document in found}


def _read_work(paths: list[Path], documents: dict[str, Document]) -> list[Annotation]:
    """Read annotations of any number of authors; a file whose records name none is its author's."""
    from khabar import jsonl
    from khabar.types import Annotation
    from khabar.validate import check_annotation

    work = [
        msgspec.structs.replace(annotation, author=annotation.author or path.stem)
        for path in paths
        for annotation in jsonl.read_list(path, Annotation)
    ]
    issues = [issue for item in work for issue in check_annotation(item, documents.get(item.doc_id), constraints=False)]
    if issues:
        raise KhabarError(issues)
    return work


def _write_agreement(
    report: AgreementReport,
    work: list[Annotation],
    documents: dict[str, Document],
    *,
    output: Path | None,
    markdown: Path | None,
    page: Path | None,
) -> None:
    from khabar import jsonl

    if output:
        jsonl.write_json(output, report)
    if markdown:
        from khabar.report.agreement import agreement_markdown

        jsonl.write_bytes(markdown, agreement_markdown(report).encode())
    if page:
        from khabar.report.agreement_page import agreement_page

        jsonl.write_bytes(page, agreement_page(report, work=work, documents=documents).encode())


@app.command()
def stats(gold_folder: GoldFolder = None, as_json: AsJson = False) -> None:
    """Print what each split holds: documents, types, roles, attributes."""
    from khabar.corpus import SPLITS, load_gold
    from khabar.describe import describe
    from khabar.report.terminal import description_table

    descriptions = [describe(load_gold(split, gold_folder)) for split in SPLITS]
    if as_json:
        show_json(descriptions)
    else:
        show_table(description_table(descriptions))


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
    from khabar.report.show import show_page
    from khabar.report.terminal import show_terminal

    gold = _find(doc_id, sources, gold_folder)
    document, annotation = gold.documents[0], gold.annotations[0]
    if predictions:
        annotation = _predicted(predictions, gold)
    if page:
        jsonl.write_bytes(page, show_page(document, annotation).encode())
        typer.echo(f"written: {page}")
    else:
        show_table(show_terminal(document, annotation))


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
    from khabar.inputs import read_jsonl_predictions
    from khabar.types import Annotation

    doc_id = gold.documents[0].doc_id
    found = [annotation for annotation in read_jsonl_predictions(path).annotations if annotation.doc_id == doc_id]
    require_valid(gold, found)
    return found[0] if found else Annotation(doc_id=doc_id)


@app.command("serve-model")
def serve_model(
    model: Annotated[str, typer.Argument(help="a Python file with load(), or a module that can be imported")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="on loopback; 0 for a free one")] = 0,
    as_json: AsJson = False,
) -> None:
    """Serve a model to Label Studio, which shows annotators its predictions, until Ctrl+C."""
    from khabar.label_studio.backend import address, make_server
    from khabar.models import load_model

    with working("loading the model"):
        loaded = load_model(model)
    with make_server(loaded, port=port, report=lambda issue: typer.echo(issue.message, err=True)) as server:
        if as_json:
            show_json({"model": loaded.label, "url": address(server)})
        else:
            typer.echo(f"{loaded.label}: {address(server)} (Ctrl+C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("ended", err=True)


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
        show_json({"written": [document.doc_id for document in documents], "output": str(output), "issues": []})
