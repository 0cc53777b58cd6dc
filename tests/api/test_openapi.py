"""/openapi.json and /docs: valid, complete, and of what the house really serves."""

import json
import re
from html.parser import HTMLParser

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app import make_app
from api.catalog import DIALECTS, SERVICE, Dialect
from api.config import Config, Server
from api.dialects import action_api_calls, mining_wallet
from api.dialects.action_api import ACTIONS
from api.dialects.described import Field, Operation
from api.dialects.router import ROUTES
from api.documentation import FORMS, SHOWS, page
from api.openapi import SCHEMAS, SECURITY
from tests.api.pool_doors import signed_body, written

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NO_SUCH_CALL = re.compile("path: not known|method: |there is no ")
# Elements that have no end tag.
VOID = {"meta", "!doctype"}


@pytest.fixture(scope="module")
def described(house):
    answer = house.request("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    return json.loads(answer.body)


def operations():
    return [(dialect, operation) for dialect in DIALECTS for operation in dialect.operations]


@pytest.mark.slow
def test_the_document_is_valid(described):
    assert [error.message for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_every_operation_is_in_it(described):
    paths = {(path, method.upper()): content for path, methods in described["paths"].items()
             for method, content in methods.items()}
    assert paths.keys() == {(one.path, one.method) for _, one in operations()}
    ids = [content["operationId"] for content in paths.values()]
    assert len(set(ids)) == len(ids)
    for dialect, operation in operations():
        content = paths[operation.path, operation.method]
        parameters = {parameter["name"] for parameter in content.get("parameters", ())}
        body = described["components"]["schemas"].get(
            f"{dialect.name}.{operation.name.replace('/', '.')}", {"properties": {}})
        fields = {field.name for field in operation.fields}
        assert fields <= parameters | body["properties"].keys()
        # Each stands in one place.
        assert not parameters & body["properties"].keys()
        assert body["properties"].keys() <= fields | {"session", "router"}


def test_the_router_is_one_path(described):
    router = described["paths"]["/router"]
    assert set(router) == {"get", "post"}
    reads, = [one for one in router["get"]["parameters"] if one["name"] == "router"]
    bodies = router["post"]["requestBody"]["content"]["application/json"]["schema"]
    posts = [described["components"]["schemas"][one["$ref"].rpartition("/")[2]]
             for one in bodies["oneOf"]]
    names = {body["properties"]["router"]["const"]: set(body["properties"]) for body in posts}
    assert {name: route.parameters for name, route in ROUTES.items()
            if route.method == "POST"} == names
    assert reads["required"] and set(reads["schema"]["enum"]) == ROUTES.keys() - names.keys()


def test_the_action_api_is_one_path(described):
    """Its bodies tell actions apart, and hold the fields of each as a text."""
    schemas = described["components"]["schemas"]
    posted = described["paths"]["/action-api"]["post"]["requestBody"]["content"]
    bodies = posted["application/json"]["schema"]
    names = [one["$ref"].rpartition("/")[2] for one in bodies["oneOf"]]
    assert bodies["discriminator"]["propertyName"] == "action"
    assert bodies["discriminator"]["mapping"].keys() == ACTIONS.keys()
    for name in names:
        body = schemas[name]
        action = body["properties"]["action"]["const"]
        assert bodies["discriminator"]["mapping"][action].endswith(f"/{name}")
        fields = body["properties"]["data"]["contentSchema"]["$ref"].rpartition("/")[2]
        assert fields == f"action_api.{action}" and schemas[fields]["type"] == "object"
        credential = {"clientId": "a", "secretKey": "b", "secretSalt": "c"}
        signed = json.loads(written(signed_body(credential, {}, action=action)))
        Draft202012Validator(body).validate(signed)
        assert not Draft202012Validator(body).is_valid(signed | {"action": "another"})


def test_what_is_served_is_described(house):
    """Every route of the application but those that say of all else that it is no call."""
    async def routes():
        app = make_app(house.house, Config(data=house.config.data))
        return [(route.method, route.resource.canonical) for route in app.router.routes()]
    elsewhere = {f"/mining{path}": path for path in mining_wallet.PATHS_BELOW_MINING}
    elsewhere["/"] = action_api_calls.PATH
    ways = {(one.path, one.method) for _, one in operations()}
    paths = {path for path, _ in ways}
    faults = []
    for method, served in house.run(routes()):
        if re.search(r"(^|/)\{(path|call)\}$|^/operator$", served):
            continue
        path = served if served in paths or served.endswith("/") else served + "/"
        path = elsewhere.get(path, path)
        if path not in paths or method not in ("*", "HEAD") and (path, method) not in ways:
            faults.append(f"{method} {served} is served and not described")
    assert faults == []


def test_what_is_described_is_served_and_by_no_other_method(house):
    methods = {}
    for dialect, operation in operations():
        path = re.sub(r"\{\w+\}", "1", operation.path)
        if dialect.selector:
            path += f"?{dialect.selector}={operation.name}"
        methods.setdefault(path, set()).add(operation.method)
    faults = []
    for path, described in methods.items():
        for method in METHODS:
            body = house.request(method, path).body
            answer = json.loads(body) if body.startswith(b"{") else {}
            words = answer.get("message") or answer.get("description") or ""
            if bool(NO_SUCH_CALL.match(words)) == (method in described):
                faults.append(f"{method} {path}: {words}")
    assert faults == []


def test_the_servers_address_is_the_configured(own_house):
    house = own_house(server=Server(port=0, public_url="https://ore.example"))
    described = json.loads(house.request("GET", "/openapi.json").body)
    assert described["servers"] == [{"url": "https://ore.example"}]


def test_every_form_has_its_words_and_its_schema():
    forms = {field.form for _, operation in operations() for field in operation.fields}
    assert forms <= FORMS.keys()
    assert forms - {"choice"} <= SCHEMAS.keys()
    assert {operation.shows for _, operation in operations()} <= SHOWS.keys() & SECURITY.keys()
    for _, operation in operations():
        for field in operation.fields:
            assert bool(field.choices) == (field.form == "choice"), (operation.name, field.name)
        for name in re.findall(r"\{(\w+)\}", operation.path):
            assert name in {field.name for field in operation.fields}


# -- the page --------------------------------------------------------------------------------------

class Page(HTMLParser):
    """The elements of a page, each closed where it should be."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.links, self.tags, self.texts = [], [], [], set(), []
        self.handle_data = self.texts.append
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        attributes = dict(attributes)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def docs(house):
    answer = house.request("GET", "/docs")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer


def test_the_page_is_whole_and_has_every_call(docs):
    read = Page(docs.body.decode())
    assert read.open == [] and len(set(read.ids)) == len(read.ids)
    assert {link.removeprefix("#") for link in read.links if link.startswith("#")} == set(read.ids)
    assert [link for link in read.links if not link.startswith("#")] == ["/openapi.json"]
    text = "".join(read.texts)
    for dialect, operation in operations():
        assert f"{dialect.name}-{operation.name.replace('/', '-')}" in read.ids
        assert operation.path in text
        for field in operation.fields:
            assert field.name in text
            assert field.meaning.replace("`", "") in text


def test_the_page_loads_nothing_and_runs_nothing(docs):
    policy = docs.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not Page(docs.body.decode()).tags & {"script", "link", "img", "iframe", "form", "object"}
    assert not re.search(rb"url\(|@import|https?:", docs.body)


def test_what_is_described_is_text_and_no_markup():
    nasty = '<script>alert("1")</script>&amp;'
    operation = Operation("x", "GET", "/x/{y}", nasty, (Field("y", "text", nasty),), "none", nasty)
    read = Page(page("", nasty, (Dialect("nasty", nasty, (nasty,), (operation,)),)))
    assert "script" not in read.tags
    # The style, the version, title twice, about, summary, meaning; the answer as JSON has it.
    assert "".join(read.texts).count(nasty) == 6
    assert json.dumps(nasty) in read.texts


def test_the_house_itself(house):
    for operation in SERVICE.operations:
        answer = house.request("GET", operation.path)
        assert answer.status == 200
        if operation.answers is not None:
            assert json.loads(answer.body) == operation.answers
