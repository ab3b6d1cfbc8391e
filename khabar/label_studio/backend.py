"""A khabar model behind Label Studio's ML backend interface, live on loopback.

The protocol is what Label Studio 1.23 sends and reads (`label_studio/ml/api_connector.py` and `models.py`).
The package that is made for it, label-studio-ml, has had no release on PyPI since January 2023.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from khabar.errors import Issue, KhabarError
from khabar.label_studio.config import labeling_config
from khabar.label_studio.convert import Json, to_prediction
from khabar.types import Annotation, Document
from khabar.validate import check_documents

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

# "Retrieve predictions" sends every chosen task in one request; Arabic is six bytes a letter there.
MAX_BODY = 64 * 2**20
Report = Callable[[Issue], None]


class Proposer(Protocol):
    """What of `khabar.models.Model` is used here; that module is above this one."""

    @property
    def label(self) -> str:
        """Name the model and its version."""
        ...

    def propose(self, document: Document) -> tuple[Annotation, list[Issue]]:
        """Annotate a document.

        Args:
            document: with its text.

        Returns:
            What was marked, and an issue for everything that was left out.
        """
        ...


class Refusal(Exception):  # noqa: N818
    """What is answered instead of a result. Label Studio shows its user the reason and not the body."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class TaskData(msgspec.Struct, frozen=True):
    """What a khabar task holds; a task of another project has something else."""

    text: str
    doc_id: str
    sha256: str
    lang: str = ""


class Task(msgspec.Struct, frozen=True):
    """A task as Label Studio sends it."""

    data: TaskData


class Question(msgspec.Struct, frozen=True):
    """The body of /predict. The tasks are read one by one: a strange one must not spoil the others."""

    tasks: list[msgspec.Raw]
    label_config: str


class SetUp(msgspec.Struct, frozen=True):
    """The body of /setup. The project owner's token, which is in it too, is never read."""

    schema: str


class Validation(msgspec.Struct, frozen=True):
    """The body of /validate."""

    config: str


class Notice(msgspec.Struct, frozen=True):
    """The body of /webhook and /train."""

    action: str = "START_TRAINING"


def answer(model: Proposer, question: Question, report: Report) -> Json:
    """Answer /predict: a prediction for each task that can be read.

    Args:
        model: loaded.
        question: what Label Studio sent.
        report: called with everything for which something is missing in the answer.

    Returns:
        As many results as tasks. A task that cannot be read has an empty list, which Label Studio takes
        for "no prediction": it stores nothing, and asks again when the task is opened again.

    Raises:
        Refusal: another labelling configuration.
    """
    _check_config(question.label_config)
    return {"results": [_predict(model, raw, report) for raw in question.tasks]}


def _check_config(config: str) -> None:
    if "".join(config.split()) != "".join(labeling_config().split()):
        raise Refusal(HTTPStatus.CONFLICT, "The project has another labelling configuration than this khabar")


def _predict(model: Proposer, raw: msgspec.Raw, report: Report) -> list[Json]:
    try:
        document = _document(raw)
        annotation, issues = model.propose(document)
    except KhabarError as error:
        for issue in error.issues:
            report(issue)
        return []
    for issue in issues:
        report(issue)
    return [to_prediction(annotation, document.text, model_version=model.label)]


def _document(raw: msgspec.Raw) -> Document:
    try:
        data = msgspec.json.decode(raw, type=Task).data
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise KhabarError(
            Issue(
                code="wrong-shape",
                where="a task of Label Studio",
                found=str(error),
                expected="a task that khabar made: text, doc_id and sha256",
                fix="Attach the model to a project of khabar's.",
            )
        ) from error
    names = dict.fromkeys(("origin", "theatre", "storyline", "genre", "stance", "outlet", "date", "licence"), "")
    document = Document(**names, doc_id=data.doc_id, lang=data.lang, sha256=data.sha256, text=data.text)
    issues = list(check_documents([document]))
    if issues:
        raise KhabarError(issues)
    return document


class _Handler(BaseHTTPRequestHandler):
    timeout = 60  # seconds for a client that stops in the middle
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].rstrip("/")
        if path in ("", "/health"):
            self._send(HTTPStatus.OK, {"status": "UP", "model_class": self.server.model.label})
        elif path == "/versions":
            self._send(HTTPStatus.OK, {"versions": [self.server.model.label]})
        else:
            self._refuse(Refusal(HTTPStatus.NOT_FOUND, "No such page"))

    def do_POST(self) -> None:
        try:
            self._send(HTTPStatus.OK, self._answer(self.path.partition("?")[0].rstrip("/")))
        except Refusal as refusal:
            self._refuse(refusal)

    def _answer(self, path: str) -> Json:
        body = self._body()
        model = self.server.model
        if path == "/predict":
            question = _read(body, Question)
            with self.server.one_at_a_time:
                return answer(model, question, self.server.report)
        if path == "/setup":
            _check_config(_read(body, SetUp).schema)
            return {"model_version": model.label}
        if path == "/validate":
            _check_config(_read(body, Validation).config)
            return {"status": "ok"}
        if path in ("/webhook", "/train"):
            if path == "/train" or _read(body, Notice).action == "START_TRAINING":
                raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "A khabar model is trained by its own file")
            return {}
        raise Refusal(HTTPStatus.NOT_FOUND, "No such page")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdecimal():
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "The request does not say how long it is")
        if len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"More than {MAX_BODY // 2**20} MiB: ask for fewer tasks"
            )
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise Refusal(HTTPStatus.BAD_REQUEST, "The request ends too early")
        return body

    def _send(self, status: HTTPStatus, value: Json, reason: str | None = None) -> None:
        body = msgspec.json.encode(value)
        self.send_response(status, reason)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, refusal: Refusal) -> None:
        # In the status line, because that is the part of an error that Label Studio shows.
        self._send(refusal.status, {"error": refusal.reason}, refusal.reason)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what matters goes to `report`."""


def _read(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200].encode("ascii", "replace").decode()
        raise Refusal(HTTPStatus.BAD_REQUEST, f"The request cannot be read: {reason}") from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, model: Proposer, port: int, report: Report) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.model, self.report = model, report
        self.one_at_a_time = threading.Lock()  # taggers keep state while they work

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):  # not one that has hung up
            super().handle_error(request, client_address)


def make_server(model: Proposer, *, port: int = 0, report: Report = lambda _: None) -> ThreadingHTTPServer:
    """Make the server of a model on loopback; `serve_forever` runs it.

    Args:
        model: `khabar.models.load_model` gives it.
        port: 0 for a free one; `server_address` tells which.
        report: called with everything that is missing in an answer, and why.

    Raises:
        KhabarError: usage, where the port is taken.
    """
    try:
        return _Server(model, port, report)
    except OSError as error:
        raise KhabarError(
            Issue(
                code="usage",
                where=f"port {port}",
                found=error.strerror or str(error),
                expected="a free port",
                fix="Name another port, or none.",
            )
        ) from error


def address(server: ThreadingHTTPServer) -> str:
    """Give the address under which Label Studio finds a server.

    Args:
        server: of `make_server`.
    """
    return f"http://127.0.0.1:{server.server_address[1]}"


def attach(client: LabelStudio, project: int, url: str, *, title: str) -> bool:
    """Connect a running model to a project, whose labelling page then opens with its work.

    Args:
        client: the manager's.
        project: the project's number.
        url: the model's address.
        title: what Label Studio calls the model; another address under the same title replaces the old one.

    Returns:
        Whether anything was changed.

    Raises:
        KhabarError: project-changed, where another model is attached (Label Studio asks only one);
            server-answer, where it does not reach the model, or the model refuses the configuration.
    """
    from khabar.label_studio.desk import speaking

    with speaking(str(client._client_wrapper.get_base_url())):
        there = client.ml.list(project=project)
        if any(item.title != title for item in there):
            raise KhabarError(_occupied(project, title, [str(item.title) for item in there]))
        settings = client.projects.get(id=project)
        done = (there[0].url if there else "", settings.show_collab_predictions, settings.model_version)
        if done == (url, True, title):
            return False
        with _told(url):
            if not there:
                client.ml.create(project=project, url=url, title=title)
            elif there[0].url != url:
                client.ml.update(id=there[0].id, project=project, url=url, title=title)
        client.projects.update(id=project, show_collab_predictions=True, model_version=title)
        _drop_webhooks(client, project)
    return True


@contextmanager
def _told(url: str) -> Iterator[None]:
    from label_studio_sdk.core.api_error import ApiError

    try:
        yield
    except ApiError as error:
        body = error.body if isinstance(error.body, dict) else {}
        reasons = (body.get("validation_errors") or {}).get("non_field_errors")
        if not reasons:
            raise
        raise KhabarError(
            Issue(
                code="server-answer",
                where=url,
                found=" ".join(reasons),
                expected="a model that answers there and fits the project",
                fix="Start it with `khabar serve-model`; attach it to a project that khabar made.",
            )
        ) from error


def _drop_webhooks(client: LabelStudio, project: int) -> None:
    # Label Studio tells a model of every saved annotation. khabar's do not listen, and one that has ended
    # would make each annotator's "Submit" wait for it.
    for hook in client.webhooks.list(project=project):
        if str(hook.url).startswith("http://127.0.0.1:") and str(hook.url).endswith("/webhook"):
            client.webhooks.delete(id=hook.id)


def _occupied(project: int, title: str, others: list[str]) -> Issue:
    return Issue(
        code="project-changed",
        where=f"project number {project}",
        found=f"the model {', '.join(others)}",
        expected=f"no model, or {title}",
        fix="Detach it first: Label Studio asks only one model a project.",
    )


def detach(client: LabelStudio, project: int, *, title: str) -> bool:
    """Take a model away from a project; predictions that were stored stay stored, but are no longer shown first.

    Args:
        client: the manager's.
        project: the project's number.
        title: of the model.

    Returns:
        Whether it was attached.
    """
    from khabar.label_studio.desk import speaking

    with speaking(str(client._client_wrapper.get_base_url())):
        found = [item for item in client.ml.list(project=project) if item.title == title]
        for item in found:
            client.ml.delete(id=item.id)
    return bool(found)
