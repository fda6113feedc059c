"""The PDF chatbot, rendered: complete, linted, its own tests green, valid in every target, samples and questions as made."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from rendered import LINTERS, check_notebooks, check_packages, own_files, own_tests, pins, read, tool

from bundleflow.records.flow import load_flow
from bundleflow.templates_project import KIT_ROOT, new_project
from bundleflow_models import verdict
from rehearsal.scenarios import pdf_chatbot
from rehearsal.scenarios.model import OpenPull, Push

TEMPLATE = KIT_ROOT / "templates" / "pdf-chatbot"
CLUSTER = "0923-164208-meows279"
SHAPES = {
    "serverless": {},
    "cluster, another name": {"project_name": "questions-about-papers", "workspace_folder": "/Teams/papers", "cluster_id": CLUSTER},
}


def made(shape: str, folder: Path) -> Path:
    new_project("pdf-chatbot", folder / "pdf-chatbot", answers=SHAPES[shape], ask=False)
    return folder / "pdf-chatbot"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made("serverless", tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made("cluster, another name", tmp_path_factory.mktemp("renamed"))


@pytest.fixture(params=["plain", "renamed"])
def project(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


def resources(project: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in (project / "resources").iterdir():
        for kind, named in read(path)["resources"].items():
            found.setdefault(kind, {}).update(named)
    return found


def job(project: Path) -> dict[str, Any]:
    return dict(resources(project)["jobs"][pdf_chatbot.JOB])


def test_everything_is_rendered(project: Path) -> None:
    files = own_files(project)
    assert len(files) == len(own_files(TEMPLATE))
    for path in files:
        assert path.suffix != ".jinja"
        assert "<%" not in str(path)
        assert not re.search(rb"<%|%>", path.read_bytes()), path


def test_four_tasks_in_their_order(project: Path) -> None:
    tasks = job(project)["tasks"]
    assert tuple(task["task_key"] for task in tasks) == pdf_chatbot.TASKS
    assert [each["task_key"] for task in tasks for each in task.get("depends_on", [])] == list(pdf_chatbot.TASKS[:-1])
    for task in tasks:
        assert (project / "resources" / task["notebook_task"]["notebook_path"]).resolve().stem == task["task_key"]


def test_serverless_or_the_configured_cluster(plain: Path, renamed: Path) -> None:
    assert {task.get("environment_key") for task in job(plain)["tasks"]} == {"default"}
    assert not [task for task in job(plain)["tasks"] if "existing_cluster_id" in task or "libraries" in task]
    assert "environments" not in job(renamed)
    for task in job(renamed)["tasks"]:
        assert (task["existing_cluster_id"], task["libraries"]) == ("${var.cluster_id}", "${var.libraries}")
    assert read(renamed / "databricks.yml")["variables"]["cluster_id"]["default"] == CLUSTER


def test_one_document_in_the_test_target_and_all_of_them_elsewhere(project: Path) -> None:
    bundle = read(project / "databricks.yml")
    assert set(bundle["targets"]) == {"dev", "test", "staging", "prod"}
    chosen = {name: target["variables"].get("documents", "all") for name, target in bundle["targets"].items()}
    assert chosen == {"dev": "all", "test": "tickets.pdf", "staging": "all", "prod": "all"}
    assert bundle["variables"]["documents"]["default"] == "all"
    assert bundle["targets"]["test"]["variables"]["keep_endpoint"] == "false"
    assert len(list((project / "sample_data" / "pdf").glob("*.pdf"))) == pdf_chatbot.DOCUMENTS


def test_rights_are_those_of_service_principals(project: Path) -> None:
    found = resources(project)
    assert {each["service_principal_name"] for each in job(project)["permissions"]} == {"${var.operator}"}
    principals = {grant["principal"] for kind in found.values() for each in kind.values() for grant in each.get("grants", [])}
    assert principals == {"${var.application}", "${var.operator}"}
    assert "CAN_MANAGE" not in json.dumps(found)


def test_the_endpoint_is_switched_by_the_job_and_no_resource(project: Path) -> None:
    assert "model_serving_endpoints" not in resources(project)
    endpoint = job(project)["tasks"][-1]["notebook_task"]["base_parameters"]["endpoint"]
    name = read(project / "databricks.yml")["bundle"]["name"]
    stages = read(project / "bundleflow.yml")["stages"]
    for stage in ("staging", "prod"):
        (check,) = stages[stage]["smoke"]
        assert check["endpoint"] == f"{name}-{stage}"
    assert endpoint == "${bundle.name}-${bundle.target}${var.suffix}"


def test_flow_file_agrees_with_the_bundle(project: Path) -> None:
    flow = load_flow(project / "bundleflow.yml")
    assert {stage.target for stage in flow.stages.values()} == set(read(project / "databricks.yml")["targets"])
    ran = {name: stage.run for name, stage in flow.stages.items() if stage.run}
    assert ran == {"test": (pdf_chatbot.JOB, "check_answers"), "staging": (pdf_chatbot.JOB,), "prod": (pdf_chatbot.JOB,)}
    targets = read(project / "databricks.yml")["targets"]
    assert [name for name, target in targets.items() if target.get("resources")] == ["test"], "the integration test is nowhere else"
    assert set(flow.policy.protect) == set(resources(project)) - {"jobs"}


def test_the_integration_test_runs_where_the_job_does(plain: Path, renamed: Path) -> None:
    for project in (plain, renamed):
        checks = read(project / "databricks.yml")["targets"]["test"]["resources"]["jobs"]["check_answers"]
        (task,) = checks["tasks"]
        for field in ("environment_key", "existing_cluster_id", "libraries"):
            assert task.get(field) == job(project)["tasks"][0].get(field)
        assert checks.get("environments") == job(project).get("environments")
        assert "${var.suffix}" in checks["name"]
        assert (project / task["notebook_task"]["notebook_path"]).is_file()


def test_every_name_of_the_test_target_has_the_suffix(project: Path) -> None:
    found = resources(project)
    for kind in ("jobs", "schemas", "experiments"):
        for key, resource in found[kind].items():
            assert "${var.suffix}" in resource["name"], (kind, key)
    inside = [*found["volumes"].values(), *found["registered_models"].values()]
    assert {each["schema_name"] for each in inside} == {"${resources.schemas.main.name}"}


def test_notebooks_are_thin_and_know_no_place_of_their_own(project: Path) -> None:
    check_notebooks(project, below=75)


def test_the_gate_is_valid_and_its_columns_are_those_of_the_questions(project: Path) -> None:
    gate = verdict.load_gate(project / "gates" / "chatbot.yml")
    assert gate.problem == "retrieval"
    (package,) = (project / "src").iterdir()
    columns = re.findall(r"(\w+) [A-Z<>]+", (package / "tables.py").read_text(encoding="utf-8").split('"questions",')[1].split(")\n")[0])
    assert {gate.holdout.label, *gate.holdout.key, *gate.holdout.slices, *gate.holdout.rows} <= set(columns)
    assert gate.table("prod.papers.chatbot") == "prod.papers.questions"


def test_samples_and_questions_are_what_their_script_makes(plain: Path) -> None:
    folders = [plain / "sample_data" / "pdf", plain / "evaluation"]
    before = {path: path.read_bytes() for folder in folders for path in folder.iterdir()}
    done = tool(sys.executable, "sample_data/make.py", folder=plain)
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for folder in folders for path in folder.iterdir()} == before
    assert len(before) == pdf_chatbot.DOCUMENTS + 2


def test_the_script_names_the_library_that_made_the_samples(plain: Path) -> None:
    pinned = re.findall(r'"(reportlab==[^"]+)"', (plain / "sample_data" / "make.py").read_text(encoding="utf-8"))
    assert pinned == re.findall(r"^(reportlab==\S+)", (KIT_ROOT / "scripts" / "requirements" / "dev.txt").read_text(), re.MULTILINE)


def test_the_story_counts_what_is_there(plain: Path) -> None:
    facts = json.loads((plain / "sample_data" / "facts.json").read_text(encoding="utf-8"))["facts"]
    with (plain / "evaluation" / "questions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(facts) == pdf_chatbot.PAGES
    assert sum(fact["document"] == "tickets.pdf" for fact in facts) == pdf_chatbot.TICKETS_PAGES
    question = job(plain)["tasks"][-1]["notebook_task"]["base_parameters"]["first_question"]
    (asked,) = [fact for fact in facts if fact["lexical"] == question]
    assert f'"document": "{asked["document"]}", "page": {asked["page"]},' in pdf_chatbot.SOURCE
    judging = [row["kind"] for row in rows if row["purpose"] == "judging"]
    assert (judging.count("lexical"), judging.count("paraphrased"), judging.count("unanswerable")) == (24, 24, 12)
    assert judging.count("lexical") == pdf_chatbot.JUDGING


MEASURE = """
from pathlib import Path
from pdf_chatbot import chatbot, documents, embedding, evaluation, questions, retrieval
pages = [page for document in documents.fetch("sample_data/pdf", "all") for page in documents.pages(document)]
index = retrieval.Index.of(documents.cut(pages, 40, 10), pages, embedding.HashedLetters())
asked = questions.load(Path("evaluation/questions.csv"))
threshold = evaluation.tune(chatbot.Chatbot(index, chatbot.Settings()), questions.for_purpose(asked, "tuning"))
judging = questions.for_purpose(asked, "judging")
texts = judging["question"].tolist()
answers = chatbot.Chatbot(index, chatbot.Settings(threshold=threshold)).answers(texts)
naive = {"tf-idf": evaluation.tfidf_ranking(index, texts), "random": evaluation.random_ranking(index, texts)}
for each in evaluation.measures(judging, answers, naive):
    interval = f" ({each.low:.2f} to {each.high:.2f})" if each.low < each.high else ""
    print(f"{each.ranking}|{each.metric}|{each.kind}|{each.value:.2f}{interval}")
"""


def test_the_readme_says_what_the_samples_give(plain: Path) -> None:
    done = tool(sys.executable, "-c", MEASURE, folder=plain, PYTHONPATH="src")
    assert done.returncode == 0, done.stderr
    measured = {tuple(line.split("|")[:3]): line.split("|")[3] for line in done.stdout.splitlines()}
    lines = {
        "right page among the first three": ("chatbot", "hit_at_3"), "mean reciprocal rank": ("chatbot", "mrr"),
        "the same of TF-IDF": ("tf-idf", "mrr"), "the same of a random ranking": ("random", "mrr"),
        "answer holds the right words": ("chatbot", "answer_contained"), "abstains": ("chatbot", "abstained"),
    }  # fmt: skip
    readme = (plain / "README.md").read_text(encoding="utf-8")
    for title, key in lines.items():
        cells = [measured.get((*key, kind), "") for kind in ("lexical", "paraphrased", "unanswerable")]
        assert " ".join(f"| {title} | {' | '.join(cells)} |".split()) in readme


ASK = """
from pdf_chatbot import embedding, readers, registry, retrieval
from pdf_chatbot.chatbot import Settings
from pdf_chatbot.documents import Chunk
embedder = embedding.embedder("embeds")
print(embedder.embed(["one", "three"]).tolist())
passages = [retrieval.Found(Chunk("a.pdf#1-1", "a.pdf", 1, "It is green."), 0.5)]
print(readers.reader("speaks", embedder).read("Which colour?", passages).answer)
print(sorted(each.name for each in registry._resources(Settings("embeds", "speaks"))))
print([column.name for column in registry.signature().outputs])
"""


class ServingEndpoints(BaseHTTPRequestHandler):
    """Two serving endpoints with OpenAI's form of request and answer."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/serving-endpoints/embeds/invocations":
            numbers = [{"index": place, "embedding": [float(len(text)), 0.0]} for place, text in enumerate(request["input"])]
            answer: dict[str, Any] = {"data": numbers}
        elif self.path == "/serving-endpoints/speaks/invocations":
            answer = {"choices": [{"message": {"content": f"Green [1], of {len(request['messages'])} messages."}}]}
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_endpoints_are_asked_by_mlflows_own_client(plain: Path, tmp_path: Path) -> None:
    script = tmp_path / "ask.py"  # a file: pyspark takes `python -c` for a doctest and ends it
    script.write_text(ASK, encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), ServingEndpoints) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_port}"
        done = tool(sys.executable, str(script), folder=plain, PYTHONPATH="src", DATABRICKS_HOST=host, DATABRICKS_TOKEN="any")
        server.shutdown()
    assert done.returncode == 0, done.stderr
    vectors, answer, resources_of_model, outputs = done.stdout.splitlines()
    assert vectors == "[[1.0, 0.0], [1.0, 0.0]]"
    assert answer == "Green [1], of 2 messages."
    assert resources_of_model == "['embeds', 'speaks']"
    assert outputs == "['answer', 'abstained', 'sources', 'prediction', 'score', 'answered_by']"


TAKE_BACK = """
import json, sys
from promotion_world import ENDPOINT, MODEL, request, world
from bundleflow_models import promotion
from pdf_chatbot import registry
made = world(3, champion=int(sys.argv[1]) or None)
def promoted(number):
    asked = request(number, made.judged(number, champion=made.alias("champion")))
    return asked, promotion.promote(made.workspace(), asked, tell=str)
shown = [made.state()]
asked, done = promoted(2)
registry.take_back(made.workspace(), asked, done)
shown += [made.state(), made.models[MODEL].tags.get("bundleflow_champion")]
asked, done = promoted(3)
again = promotion.promote(made.workspace(), asked, tell=str)
registry.take_back(made.workspace(), asked, again)
print(json.dumps([*shown, made.state(), done.notes]))
"""
"""Version 2 is promoted and taken back; version 3 is promoted twice, and the second time changes nothing that could be taken back."""


@pytest.mark.parametrize(
    ("champion", "before", "after"),
    [
        (1, [{"champion": 1}, {"1": 100}], [{"champion": 3, "previous-champion": 1}, {"3": 100}]),
        (0, [{}, None], [{"champion": 3}, {"3": 100}]),
    ],
)
def test_an_endpoint_that_does_not_answer_is_taken_back(plain: Path, champion: int, before: Any, after: Any, tmp_path: Path) -> None:
    script = tmp_path / "take_back.py"
    script.write_text(TAKE_BACK, encoding="utf-8")
    world = KIT_ROOT / "tests" / "unit" / "models" / "promotion"
    done = tool(sys.executable, str(script), str(champion), folder=plain, PYTHONPATH=f"src{os.pathsep}{world}")
    assert done.returncode == 0, done.stderr
    at_first, taken_back, tag, at_last, notes = json.loads(done.stdout.splitlines()[-1])  # after what the way back tells
    assert at_first == taken_back == before
    assert tag == (str(champion) if champion else None)
    assert at_last == after
    assert notes == []


def test_the_last_task_takes_back_what_does_not_answer(project: Path) -> None:
    """Whatever fails after the promotion goes the way back before anything else, and is told."""
    tree = ast.parse((project / "notebooks" / f"{pdf_chatbot.TASKS[-1]}.py").read_text(encoding="utf-8"))
    (guarded,) = [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
    assert {"allow_queries", "query"} <= {node.attr for each in guarded.body for node in ast.walk(each) if isinstance(node, ast.Attribute)}
    (handler,) = guarded.handlers
    assert [ast.unparse(each) for each in handler.body] == ["registry.take_back(workspace, request, done)", "raise"]


def test_the_smoke_check_asks_for_words_of_the_answer_alone(project: Path) -> None:
    facts = json.loads((project / "sample_data" / "facts.json").read_text(encoding="utf-8"))["facts"]
    for stage in ("staging", "prod"):
        (check,) = read(project / "bundleflow.yml")["stages"][stage]["smoke"]
        (asked,) = check["request"]["dataframe_records"]
        (fact,) = [each for each in facts if each["lexical"] == asked["question"]]
        assert check["expect"] == {"contains": fact["answer"]}
        assert fact["answer"] not in asked["question"]


def test_the_picture_shows_the_jobs_tasks(project: Path) -> None:
    picture = (project / "docs" / "chatbot.svg").read_text(encoding="utf-8")
    assert all(task in picture for task in pdf_chatbot.TASKS)
    assert "docs/chatbot.svg" in (project / "README.md").read_text(encoding="utf-8")


def test_packages_agree_with_the_tests_and_with_the_rehearsal(project: Path) -> None:
    variables = read(project / "databricks.yml")["variables"]
    listed = variables["libraries" if "libraries" in variables else "python_packages"]["default"]
    names = [each if isinstance(each, str) else each.get("pypi", {}).get("package", each.get("whl")) for each in listed]
    packages = pins("\n".join(names))
    check_packages(project, packages)
    assert names[-1] == "${workspace.root_path}/.bundleflow/${var.bundleflow_models_wheel}"


@LINTERS
def test_linters_find_nothing(renamed: Path, command: list[str]) -> None:
    done = tool(*command, folder=renamed)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_own_unit_tests_pass(renamed: Path) -> None:
    done = own_tests(renamed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 passed" in done.stdout


@pytest.mark.parametrize(("shape", "target"), [*(("plain", target) for target in ("dev", "test", "staging", "prod")), ("renamed", "prod")])
def test_the_bundle_is_valid_without_a_warning(request: pytest.FixtureRequest, workspace: str, target: str, shape: str) -> None:
    command = [sys.executable, "-m", "bundleflow", "local", "databricks", "bundle", "validate", "--strict", "-t", target]
    done = tool(*command, folder=request.getfixturevalue(shape), DATABRICKS_HOST=workspace, DATABRICKS_TOKEN="any")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Validation OK!" in done.stdout


def test_the_changes_of_the_story_fit(plain: Path) -> None:
    actions = [scene.action for scene in pdf_chatbot.PDF_CHATBOT.scenes]
    edits = [edit for each in actions if isinstance(each, OpenPull | Push) and each.change for edit in each.change.edits]
    assert len({edit.path for edit in edits}) == 2  # neither spoils the place of the other
    assert [(plain / edit.path).read_text(encoding="utf-8").count(edit.find) for edit in edits] == [1, 1]
