"""Every call has an example in its page of docs/, every example gives what the page says, and every
call takes the fields that are described, and no others: tried on a real house, page by page.
"""

import json
import os
import re
import shutil
import subprocess
from decimal import Decimal
from types import SimpleNamespace

import pytest
from jsonschema import Draft202012Validator
from msgspec.json import encode

from api.catalog import DIALECTS
from api.config import DEFAULT_PAIRS, Limits, Operator
from api.openapi import document
from tests.api.conftest import HouseThread
from tests.api.pool_doors import state_of
from tests.api.serving import PASSWORD, ROOT
from tests.support.callers import completed, functions, read
from tests.support.curl import Request, keep_cookies
from tests.support.described import NO_FIELD, called, fault_of, fields_of, trials
from tests.support.pages import at, differences, examples, fields, parsed

# Each page has a house of its own.
pytestmark = pytest.mark.slow

PAGES = {dialect.name.replace("_", "-") + ".md": dialect
         for dialect in DIALECTS if dialect.envelope is not None}

# The shell functions that the pages of the pool use.
CALLERS = ROOT / "docs/pool-callers.md"
LINK = re.compile(r"\]\(([^)]+)\)")
# What they show takes a day to come.
NOTHING_YET = {"list_profits", "list_payments", "list_transactions", "list_workers_by_hour",
               "Profit.GetByDay", "Profit.GetAllUserPaymentByDay",
               "Speed.GetSubAccountAllWorkersHourlySpeedBulk",
               "Worker.GetSubAccountWorkerHourlyActiveNumList"}
# What they show has the names that the caller asks for.
FREE_NAMES = {"User/Auth", "User/Info", "User/RealInfo"}


def words(answer):
    """Why a call was refused, "" where it was not."""
    return answer.get("message") or answer.get("description") or ""


class Reader:
    """Types what a page says to type, from top to bottom, on a new house."""

    def __init__(self, house, page):
        self.house = house
        self.variables = {"HOUSE": f"http://127.0.0.1:{house.port}", "OPERATOR_PASSWORD": PASSWORD}
        self.jars = {}
        self.ran = []
        for example in examples(page):
            self.ran.append(self.run(example))

    def run(self, example):
        """The example with its answer; `tried`: how the trials before it were answered."""
        asked = read(example.command, self.variables, self.jars)
        dialect, operation = called(asked)
        ran = SimpleNamespace(example=example, asked=asked, dialect=dialect, operation=operation,
                              tried=[], changed=False)
        # A call that has been shown with success is refused later for what is wrong with it.
        if not words(example.answer) or operation not in [one.operation for one in self.ran]:
            before = state_of(self.house)
            ran.tried += [(trial, words(parsed(self.send(trial.request).body)))
                          for trial in trials(asked, dialect, operation)]
            ran.changed = state_of(self.house) != before
        answer = self.send(asked)
        if asked.jar is not None:
            keep_cookies(self.jars, asked.jar, asked.cookies,
                         answer.headers.get_all("Set-Cookie") or [])
        ran.status, ran.answer = answer.status, parsed(answer.body)
        ran.outcome = "refused" if words(ran.answer) else "done"
        for name, path in example.saves.items():
            self.variables[name] = str(at(ran.answer, path))
        return ran

    def send(self, asked: Request):
        asked = completed(asked, self.variables)
        headers = dict(asked.headers)
        if asked.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}"
                                          for name, value in asked.cookies.items())
        path = asked.url.removeprefix(self.variables["HOUSE"])
        body = asked.body.encode() if asked.body is not None else None
        return self.house.request(asked.method, path, body, headers)


def new_house(directory):
    """With the default coins and pairs."""
    return HouseThread(directory, pairs=DEFAULT_PAIRS, limits=Limits(),
                       operator=Operator(PASSWORD))


@pytest.fixture(scope="module", params=PAGES)
def page(request, tmp_path_factory):
    """A page that was read on a house of its own."""
    house = new_house(tmp_path_factory.mktemp("page") / "house")
    path = ROOT / "docs" / request.param
    try:
        ran = Reader(house, path).ran
    finally:
        house.close()
    return SimpleNamespace(path=path, dialect=PAGES[request.param], ran=ran)


def tell(faults):
    assert not faults, "\n" + "\n".join(faults)


def test_every_example_gives_what_the_page_says(page):
    faults = []
    for one in page.ran:
        if one.status != one.example.status:
            faults.append(f"{one.example.section}: HTTP status {one.status}")
        faults += [f"{one.example.section}: {difference}"
                   for difference in differences(one.example, one.answer)]
    tell(faults)


def test_every_call_has_a_section_with_an_example(page):
    shown = {one.operation.name for one in page.ran if one.dialect is page.dialect
             and is_headed(one.operation, one.example.section)}
    assert [operation.name for operation in page.dialect.operations
            if operation.name not in shown] == []


def test_every_section_lists_the_fields_of_its_call(page):
    listed = fields(page.path)
    for operation in page.dialect.operations:
        tables = [table for heading, table in listed.items() if is_headed(operation, heading)]
        assert tables == [{field.name: field.required for field in operation.fields}], operation


def test_calls_take_what_is_described_and_nothing_else(page):
    faults = []
    uses = {}
    for one in page.ran:
        if one.changed:
            faults.append(f"{one.operation.name}: what was refused has changed something")
        for trial, why in one.tried:
            if fault := fault_of(trial, why):
                faults.append(f"{one.operation.name}, {trial.change}: {fault}")
            if trial.described:
                uses.setdefault(f"{one.operation.name}, {trial.named}", []).append(why)
    # A field may be none of one use of a call, but not of all.
    faults += [f"{field}: described, and is no field" for field, reasons in uses.items()
               if all(NO_FIELD.search(why) for why in reasons)]
    tell(faults)


def test_examples_fit_the_openapi_document(page):
    """The fields of a body, and the answer in its envelope."""
    schemas = json.loads(encode(document("", "1")))["components"]["schemas"]
    faults = []
    for one in page.ran:
        checks = [(f"{one.dialect.name}-{one.outcome}", one.answer)]
        body = f"{one.dialect.name}.{one.operation.name.replace('/', '.')}"
        if body in schemas:
            given = typed(fields_of(one.asked, one.dialect), one.operation)
            if one.dialect.selector:
                given[one.dialect.selector] = one.operation.name
            checks.append((body, given))
        for name, value in checks:
            errors = Draft202012Validator(schemas[name]).iter_errors(
                json.loads(json.dumps(value, default=float)))
            faults += [f"{one.example.section}: {name}: {error.message}" for error in errors]
    tell(faults)


def test_answers_have_the_shape_of_those_described(page):
    """Of each call one success at least: some show nothing but that it is done, at first."""
    faults = []
    for operation in page.dialect.operations:
        if operation.name in FREE_NAMES | NOTHING_YET:
            continue
        shapes = [shape(one.answer) for one in page.ran
                  if one.operation is operation and one.outcome == "done"]
        described = shape(parsed(encode(page.dialect.envelope.around(operation.answers))))
        if operation.answers is not None and shapes and described not in shapes:
            faults.append(f"{operation.name}: {described}, not {shapes}")
    tell(faults)


def test_the_index_names_every_page():
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(LINK.findall((ROOT / "docs/README.md").read_text())) == pages


@pytest.mark.skipif(not all(map(shutil.which, ("sh", "curl", "openssl"))),
                    reason="no sh, curl or openssl")
@pytest.mark.parametrize("name", PAGES)
def test_a_shell_with_curl_reads_the_examples_in_the_same_way(name, tmp_path):
    house = new_house(tmp_path / "house")
    variables = os.environ | {"HOUSE": f"http://127.0.0.1:{house.port}",
                              "OPERATOR_PASSWORD": PASSWORD}
    faults = []
    try:
        for example in examples(ROOT / "docs" / name):
            command = f"{functions(CALLERS)}\n{example.command.rstrip()} -w '\n%{{http_code}}'"
            ended = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=variables, text=True,
                                   capture_output=True, check=True, timeout=60)
            body, _, status = ended.stdout.rpartition("\n")
            answer = parsed(body)
            if int(status) != example.status or differences(example, answer):
                faults.append(f"{example.section}: {ended.stdout}")
            for saved, path in example.saves.items():
                variables[saved] = str(at(answer, path))
    finally:
        house.close()
    tell(faults)


def is_headed(operation, heading):
    """Whether a section's heading names the call: `buy`, `POST withdrawals/{id}`."""
    *method, name = heading.split()
    return (method in ([], [operation.method])
            and (name == operation.name or operation.path.endswith(f"/{name}")))


def typed(given, operation):
    """Fields with numbers where a form can have only their text."""
    choices = {str(choice): choice for field in operation.fields for choice in field.choices}
    described = {field.name: field for field in operation.fields}
    return {name: choices.get(value, value) if described[name].form == "choice" else value
            for name, value in given.items()}


def shape(value):
    """Names and types, in their order; of a list its kinds of entries, of maps that are alike,
    by whatever name, one of them."""
    if isinstance(value, list):
        return sorted({str(shape(entry)) for entry in value})
    if isinstance(value, dict):
        shapes = {name: shape(member) for name, member in value.items()}
        kinds = {str(one) for one in shapes.values()}
        alike = len(kinds) == 1 and all(isinstance(member, dict) for member in value.values())
        return kinds if alike else shapes
    number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    return "number" if number else type(value).__name__
