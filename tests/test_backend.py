"""A model behind Label Studio's ML backend interface: by hand, and asked by a real Label Studio."""

import json
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import studio
from builders import GOLD, annotation, document, mention
from label_studio_sdk import LabelStudio

from khabar.corpus import load_gold
from khabar.errors import Issue, KhabarError
from khabar.label_studio import backend, desk, server
from khabar.label_studio.config import labeling_config
from khabar.label_studio.convert import Json, to_prediction, to_task
from khabar.models import Model, load_model, preannotate
from khabar.types import Annotation, Document

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:label_studio_sdk")

CRF = Path(__file__).resolve().parent.parent / "evaluation" / "baselines" / "crf" / "predict.py"
TITLE = "a model"


def annotate(item: Document) -> Annotation:
    if "crash" in item.text:
        raise RuntimeError("out of memory")
    if "nonsense" in item.text:
        return annotation(mention("m1", 0, 999, "PLACE"), doc_id=item.doc_id)
    if "crossing" in item.text:
        both = (mention("m1", 0, 6, "PLACE"), mention("m2", 3, 8, "PLACE"))
        return annotation(*both, doc_id=item.doc_id)
    return annotation(*GOLD.items, doc_id=item.doc_id)


MODEL = Model(name="fixed", version="1", annotate=annotate)


@contextmanager
def serving(model: Model, issues: list[Issue] | None = None, port: int = 0) -> Iterator[ThreadingHTTPServer]:
    made = backend.make_server(model, port=port, report=(issues if issues is not None else []).append)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


@pytest.fixture(scope="module")
def issues() -> list[Issue]:
    return []


@pytest.fixture(scope="module")
def client(issues: list[Issue]) -> Iterator[httpx.Client]:
    with serving(MODEL, issues) as made, httpx.Client(base_url=backend.address(made), trust_env=False) as session:
        yield session


def task(item: Document, number: int = 1, **data: Any) -> Json:
    return {"id": number, "project": 1, "data": {**to_task(item)["data"], **data}}


def ask(client: httpx.Client, *tasks: Any, config: str | None = None) -> httpx.Response:
    body = {
        "tasks": list(tasks),
        "project": "1.1700000000",
        "label_config": labeling_config() if config is None else config,
        "params": {"login": None, "password": None, "context": None},
    }
    return client.post("/predict", json=body)


def results(client: httpx.Client, *tasks: Any) -> list[Any]:
    answer = ask(client, *tasks)
    assert answer.status_code == 200
    return list(answer.json()["results"])


# ---------------------------------------------------------------- the protocol


def test_it_says_that_it_is_there(client: httpx.Client) -> None:
    for path in ("/", "/health", "/health?x=1"):
        assert client.get(path).json()["status"] == "UP"
    assert client.get("/versions").json() == {"versions": ["fixed-1"]}
    assert client.get("/other").status_code == 404
    assert client.post("/other", json={}).status_code == 404
    assert client.put("/predict", json={}).status_code == 501


def test_it_listens_on_loopback_only() -> None:
    made = backend.make_server(MODEL)
    try:
        assert made.server_address[0] == "127.0.0.1"
        with pytest.raises(KhabarError, match="free port"):
            backend.make_server(MODEL, port=made.server_address[1])
    finally:
        made.server_close()


def test_it_is_set_up_for_the_configuration_of_khabar_only(client: httpx.Client) -> None:
    given = {"project": "1.1700000000", "hostname": "http://127.0.0.1", "access_token": "secret", "extra_params": None}
    spaced = labeling_config().replace("\n", "\r\n  ")
    for config in (labeling_config(), spaced):
        answer = client.post("/setup", json={**given, "schema": config})
        assert (answer.status_code, answer.json()) == (200, {"model_version": "fixed-1"})
    assert client.post("/validate", json={"config": labeling_config()}).status_code == 200
    other = labeling_config().replace('value="PLACE"', 'value="TOWN"')
    for path, body in (("/setup", {**given, "schema": other}), ("/validate", {"config": other})):
        answer = client.post(path, json=body)
        assert answer.status_code == 409
        assert "another labelling configuration" in answer.reason_phrase


def test_it_predicts_what_the_model_says(client: httpx.Client) -> None:
    one, two = document(), document("Rebels shelled Derbekh and Lishwan. The army said nothing.", "d2")
    assert results(client, task(one), task(two, 2)) == [
        [to_prediction(annotate(one), one.text, model_version="fixed-1")],
        [to_prediction(annotate(two), two.text, model_version="fixed-1")],
    ]


STRANGE: dict[str, Any] = {
    "no task": 5,
    "null": None,
    "no data": {"id": 1},
    "another project": {"id": 1, "data": {"image": "/data/upload/1.png"}},
    "text is a number": {"id": 1, "data": {"text": 5, "doc_id": "d1", "sha256": ""}},
    "another text": task(document(), text="Rebels shelled Lishwan."),
    "no hash": task(document(), sha256=""),
    "carriage return": task(document("a\r\nb", "d9")),
    "a broken span": task(document("nonsense", "d8")),
    "a failure": task(document("crash", "d7")),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_task_gets_nothing_and_spoils_no_other(client: httpx.Client, issues: list[Issue], name: str) -> None:
    issues.clear()
    good = task(document(), 2)
    # An empty list is "no prediction"; {"result": []} would be stored as one, and never asked again.
    assert [bool(found) for found in results(client, good, STRANGE[name], good)] == [True, False, True]
    assert len(issues) == 1


def test_what_is_left_out_is_reported(client: httpx.Client, issues: list[Issue]) -> None:
    issues.clear()
    ((made,),) = results(client, task(document("crossing spans", "d6")))
    assert [item["value"]["end"] for item in made["result"]] == [6]
    assert [(issue.code, issue.doc_id) for issue in issues] == [("span-crossing", "d6")]


def test_another_configuration_gets_no_predictions(client: httpx.Client) -> None:
    answer = ask(client, task(document()), config="<View/>")
    assert answer.status_code == 409
    assert "results" not in answer.json()


BODIES = {
    "empty": b"",
    "no JSON": b"{",
    "not UTF-8": b'{"tasks": [], "label_config": "\xff"}',
    "a list": b"[]",
    "no tasks": b'{"label_config": ""}',
    "tasks are no list": b'{"tasks": {}, "label_config": ""}',
    "deep": b"[" * 100_000,
    "deep inside": b'{"tasks": [' + b"[" * 100_000 + b'], "label_config": ""}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_broken_request_is_answered_with_a_reason(client: httpx.Client, name: str) -> None:
    answer = client.post("/predict", content=BODIES[name])
    assert answer.status_code == 400
    assert answer.json()["error"] == answer.reason_phrase
    assert answer.json()["error"].startswith("The request cannot be read: ")
    assert client.get("/health").status_code == 200


def test_a_task_of_broken_bytes_gets_nothing(client: httpx.Client) -> None:
    config = msgspec.json.encode(labeling_config())
    answer = client.post(
        "/predict", content=b'{"tasks": [{"data": {"text": "\xff"}}], "label_config": ' + config + b"}"
    )
    assert (answer.status_code, answer.json()) == (200, {"results": [[]]})


def raw(client: httpx.Client, head: str, body: bytes = b"") -> str:
    """Send a request as it stands and end it there; give the status line."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as line:
        line.sendall(f"POST /predict HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode() + body)
        line.shutdown(socket.SHUT_WR)
        return line.makefile().readline()


def test_a_request_without_an_honest_length_is_refused(client: httpx.Client) -> None:
    assert " 411 " in raw(client, "Transfer-Encoding: chunked", b"0\r\n\r\n")
    for length in ("-1", "x", "", "²"):
        assert " 411 " in raw(client, f"Content-Length: {length}")
    for length in (backend.MAX_BODY + 1, 10**40, "9" * 10_000):
        assert " 413 " in raw(client, f"Content-Length: {length}")
    assert " 400 " in raw(client, "Content-Length: 10", b"{}")
    assert client.get("/health").status_code == 200


def test_a_client_that_hangs_up_is_no_news(client: httpx.Client, capfd: pytest.CaptureFixture[str]) -> None:
    line = socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.sendall(b"POST /predict HTTP/1.1\r\nContent-Length: 10\r\n\r\n{")
    line.close()  # with a reset
    assert client.get("/health").status_code == 200
    assert capfd.readouterr().err == ""


def test_it_is_not_trained_from_label_studio(client: httpx.Client) -> None:
    for path, body in (("/train", {"annotations": []}), ("/webhook", {"action": "START_TRAINING"})):
        answer = client.post(path, json=body)
        assert answer.status_code == 501
        assert "trained by its own file" in answer.reason_phrase
    assert client.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 200


def test_many_at_once_are_answered_one_after_the_other() -> None:
    inside: list[int] = []
    most: list[int] = []

    def count(item: Document) -> Annotation:
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.01)
        inside.pop()
        return annotate(item)

    with serving(Model(name="slow", version="1", annotate=count)) as made:
        url = backend.address(made)
        answers: list[int] = []

        def one() -> None:
            with httpx.Client(base_url=url, trust_env=False) as session:
                answers.append(ask(session, task(document())).status_code)

        threads = [threading.Thread(target=one) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [200] * 8
    assert max(most) == 1


# ---------------------------------------------------------------- the command

MINE = """
from khabar.types import Annotation, Mention

def load():
    return lambda item: Annotation(doc_id=item.doc_id, mentions=(Mention(id="m1", start=0, end=6, type="ORG"),))
"""


def test_the_command_serves_a_model_until_it_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    # Tests that run in the background of a shell inherit that SIGINT is ignored.
    heeding = ["env", "--default-signal=INT"]
    command = [*heeding, sys.executable, "-m", "khabar", "serve-model", str(tmp_path / "mine.py"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
            assert said["model"].startswith("mine-")
            with httpx.Client(base_url=said["url"], trust_env=False) as session:
                ((made,),) = results(session, task(document()))
                assert made["model_version"] == said["model"]
                assert results(session, {"id": 1}) == [[]]
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
            assert process.returncode == 0
            assert "[wrong-shape]" in errors
            assert "Traceback" not in errors
        finally:
            process.kill()


def test_the_command_refuses_what_is_no_model(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "khabar", "serve-model", str(tmp_path / "gone.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[file-missing]" in done.stderr
    done = subprocess.run([*command, "--port", "70000"], capture_output=True, text=True, check=False)
    assert done.returncode == 2


# ---------------------------------------------------------------- a real Label Studio


@pytest.fixture(scope="module")
def data(studio_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with studio.running(studio_template, tmp_path_factory.mktemp("backend") / "data") as folder:
        yield folder


@pytest.fixture(scope="module")
def manager(data: Path) -> LabelStudio:
    return desk.connect(server.load_state(data).url, server.ensure_account(data, server.MANAGER).token)


@pytest.fixture(scope="module")
def annotator(data: Path) -> LabelStudio:
    account = server.ensure_account(data, server.annotator_email("annotator-a"))
    return desk.connect(server.load_state(data).url, account.token)


def get(client: LabelStudio, path: str) -> Json:
    wrapper = client._client_wrapper
    answer = httpx.get(wrapper.get_base_url() + path, headers=wrapper.get_headers(), timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def open_task(client: LabelStudio, project: int, doc_id: str) -> Json:
    """Open a task as the labelling page does."""
    number = next(t["id"] for t in desk.list_tasks(client, project) if t["data"]["doc_id"] == doc_id)
    return get(client, f"/api/tasks/{number}?project={project}")


def core(predictions: list[Json]) -> list[Json]:
    return [{key: found[key] for key in ("model_version", "result")} for found in predictions]


@pytest.mark.slow
def test_label_studio_shows_what_the_crf_says(manager: LabelStudio, annotator: LabelStudio) -> None:
    model = load_model(CRF)
    documents = list(load_gold("test").documents)[:4]
    said = preannotate(model, documents, report=lambda _: None)
    assert all(item.mentions and item.events for item in said)
    expected = [to_prediction(a, d.text, model_version=model.label) for a, d in zip(said, documents, strict=True)]
    with_model = desk.open_project(manager, "with the CRF", documents)
    without = desk.open_project(manager, "without a model", documents)
    with serving(model) as made:
        url = backend.address(made)
        assert backend.attach(manager, with_model, url, title=TITLE)
        assert not backend.attach(manager, with_model, url, title=TITLE)
        assert [(item.url, item.state) for item in manager.ml.list(project=with_model)] == [(url, "CO")]

        opened = open_task(annotator, with_model, documents[0].doc_id)
        assert core(opened["predictions"]) == [expected[0]]
        # The label stream prefills with it too, and it is stored once.
        streamed = get(annotator, f"/api/projects/{with_model}/next")
        number = [item.doc_id for item in documents].index(streamed["data"]["doc_id"])
        assert core(streamed["predictions"]) == [expected[number]]
        assert core(open_task(annotator, with_model, documents[0].doc_id)["predictions"]) == [expected[0]]

        assert open_task(annotator, without, documents[0].doc_id)["predictions"] == []
        assert get(annotator, f"/api/projects/{without}/next")["predictions"] == []
        assert manager.webhooks.list(project=with_model) == []

    # The model is gone; Label Studio is not.
    assert open_task(annotator, with_model, documents[1].doc_id)["data"]["text"] == documents[1].text
    assert core(open_task(annotator, with_model, documents[0].doc_id)["predictions"]) == [expected[0]]
    streamed = get(annotator, f"/api/projects/{with_model}/next")
    annotator.annotations.create(id=streamed["id"], result=[])
    # And it is asked again when it is back.
    with serving(model, port=int(url.rpartition(":")[2])):
        assert core(open_task(annotator, with_model, documents[3].doc_id)["predictions"]) == [expected[3]]

    assert backend.detach(manager, with_model, title=TITLE)
    assert not backend.detach(manager, with_model, title=TITLE)
    assert manager.ml.list(project=with_model) == []
    assert core(open_task(annotator, with_model, documents[0].doc_id)["predictions"]) == [expected[0]]


@pytest.mark.slow
def test_work_on_a_task_that_the_model_refuses_goes_on(manager: LabelStudio, annotator: LabelStudio) -> None:
    documents = [document("crash", "d7"), document()]
    project = desk.open_project(manager, "refused", documents)
    issues: list[Issue] = []
    with serving(MODEL, issues) as made:
        backend.attach(manager, project, backend.address(made), title=TITLE)
        assert open_task(annotator, project, "d7")["predictions"] == []
        assert len(open_task(annotator, project, "d1")["predictions"]) == 1
    assert [(issue.code, issue.doc_id) for issue in issues][:1] == [("model-broken", "")]


@pytest.mark.slow
def test_a_model_is_attached_to_a_project_that_it_fits_only(manager: LabelStudio) -> None:
    project = desk.open_project(manager, "one model", [document()])
    strange = manager.projects.create(title="strange", label_config=labeling_config().replace("PLACE", "TOWN")).id
    with serving(MODEL) as one, serving(MODEL) as two:
        with pytest.raises(KhabarError, match="another labelling configuration") as caught:
            backend.attach(manager, strange, backend.address(one), title=TITLE)
        assert caught.value.code == "server-answer"
        assert manager.ml.list(project=strange) == []

        backend.attach(manager, project, backend.address(one), title=TITLE)
        with pytest.raises(KhabarError, match="only one model") as caught:
            backend.attach(manager, project, backend.address(two), title="another")
        assert caught.value.code == "project-changed"
        # The same model on another port takes the place of the old one.
        assert backend.attach(manager, project, backend.address(two), title=TITLE)
        assert [item.url for item in manager.ml.list(project=project)] == [backend.address(two)]
    with pytest.raises(KhabarError, match="health check failed"):
        backend.attach(manager, strange, f"http://127.0.0.1:{server.free_port()}", title=TITLE)
