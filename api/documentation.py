"""The calls of a house for readers and for programs: /docs and /openapi.json.

Both are made once, from what the dialects themselves obey (api/catalog). The page is one answer
without scripts, and its Content-Security-Policy lets it load nothing at all.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from html import escape
from importlib import resources

import msgspec
from aiohttp import web

from api import openapi
from api.catalog import DIALECTS, Dialect
from api.dialects.described import Field, Operation
from api.replies import HEADERS, json_reply
from api.shell import SHELL
from api.version import version

LINE_MAX = 76
FORMS = {
    "text": "text", "whole": "whole number", "decimal": "decimal number", "flag": "true or false",
    "list": "list, or one value", "choice": "one of", "id": "number, or its text",
    "user": "name as text, or uid as number",
    "number": "JSON number", "integer": "JSON number, whole", "boolean": "true or false, as JSON",
    "texts": "JSON list of texts",
}
SHOWS = {
    "none": "",
    "session": "Needs a session: cookie, header or parameter `session`.",
    "token": "Needs the header `token`.",
    "operator": "Needs the header `token` of a super administrator, or a JWT in `Authorization`.",
    "account": "Needs a JWT in `Authorization`, of a credential of the scope `account`.",
    "signature": "Needs a JWT in `Authorization`, and a signed body.",
}


def add_routes(app: web.Application) -> None:
    """Put both into an app that has its shell."""
    document = openapi.document(app[SHELL].config.server.public_url, version())
    description = msgspec.json.encode(document)
    style = resources.files("api").joinpath("documentation.css").read_text(encoding="utf-8")
    html = page(style, version()).encode()
    headers = HEADERS | {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy(style),
        "Referrer-Policy": "no-referrer",
    }

    async def show_description(request: web.Request) -> web.StreamResponse:
        return json_reply(request, description, direct=False)

    async def show_page(request: web.Request) -> web.StreamResponse:
        return web.Response(body=html, headers=headers)

    app.router.add_get("/openapi.json", show_description)
    app.router.add_get("/docs", show_page)


def policy(style: str) -> str:
    """The Content-Security-Policy of a page with that style and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'")


def page(style: str, product_version: str, dialects: tuple[Dialect, ...] = DIALECTS) -> str:
    """The whole page."""
    return "\n".join((
        '<!doctype html>', '<html lang="en">', '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<title>Orebook: calls</title>', f'<style>{style}</style>',
        '<header>', '<h1>Orebook</h1>',
        f'<p>Every call of this house, version {escape(product_version)}. For programs there is '
        '<a href="/openapi.json">/openapi.json</a>.</p>',
        '<p class="shows">Decimal numbers may be JSON numbers or their text and are read exactly. '
        'Examples show how an answer looks; their values are made up.</p>', '</header>',
        '<nav aria-label="Calls">', *(line for dialect in dialects for line in _contents(dialect)),
        '</nav>', '<main>', *(line for dialect in dialects for line in _dialect(dialect)),
        '</main>', '</html>', ''))


def _contents(dialect: Dialect) -> Iterator[str]:
    yield f'<div><b><a href="#{dialect.name}">{escape(dialect.title)}</a></b>'
    yield from _index(dialect)
    yield '</div>'


def _index(dialect: Dialect) -> Iterator[str]:
    yield '<ul class="index">'
    for operation in dialect.operations:
        yield (f'<li><a href="#{_anchor(dialect, operation)}">'
               f'<code>{escape(_shown_name(dialect, operation))}</code></a></li>')
    yield '</ul>'


def _dialect(dialect: Dialect) -> Iterator[str]:
    yield f'<section id="{dialect.name}">'
    yield f'<h2>{escape(dialect.title)}</h2>'
    for paragraph in dialect.about:
        yield f'<p>{_marked(paragraph)}</p>'
    if dialect.envelope is not None:
        yield '<p class="label">A refusal</p>'
        yield f'<pre>{escape(readable(dialect.envelope.refusal))}</pre>'
    yield from _index(dialect)
    for operation in dialect.operations:
        yield from _operation(dialect, operation)
    yield '</section>'


def _operation(dialect: Dialect, operation: Operation) -> Iterator[str]:
    anchor = _anchor(dialect, operation)
    path = operation.path
    if dialect.selector:
        path = f"{path}?{dialect.selector}={operation.name}"
    elif dialect.signed:
        path = f"{path} {operation.name}"
    yield f'<article id="{anchor}">'
    yield (f'<h3><a href="#{anchor}"><span class="method {operation.method.lower()}">'
           f'{operation.method}</span><code>{escape(path)}</code></a></h3>')
    yield f'<p class="summary">{_marked(operation.summary)}</p>'
    if SHOWS[operation.shows]:
        yield f'<p class="shows">{_marked(SHOWS[operation.shows])}</p>'
    if operation.fields:
        yield '<dl>'
        yield from map(_field, operation.fields)
        yield '</dl>'
    if dialect.envelope is not None or operation.answers is not None:
        around = dialect.envelope.around if dialect.envelope is not None else None
        answer = operation.answers if around is None else around(operation.answers)
        yield '<p class="label">Answer</p>'
        yield f'<pre>{escape(readable(answer))}</pre>'
    yield '</article>'


def _field(field: Field) -> str:
    form = FORMS[field.form]
    if field.choices:
        form = f"{form} {', '.join(map(str, field.choices))}"
    needed = "required" if field.required else "optional"
    return (f'<div><dt><code>{escape(field.name)}</code><span>{needed}</span>'
            f'<span>{escape(form)}</span></dt><dd>{_marked(field.meaning)}</dd></div>')


def _marked(text: str) -> str:
    """As HTML, what stands in `backticks` as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _anchor(dialect: Dialect, operation: Operation) -> str:
    return f"{dialect.name}-{operation.name.replace('/', '-')}"


def _shown_name(dialect: Dialect, operation: Operation) -> str:
    """As it stands in an index: the name where the path says nothing, else the path without what
    all of the dialect begin with."""
    if dialect.selector or dialect.signed:
        return operation.name
    first = dialect.operations[0].path.split("/")[1]
    shared = all(one.path.startswith(f"/{first}/") for one in dialect.operations)
    path = operation.path.removeprefix(f"/{first}/") if shared else operation.path
    methods = {one.method for one in dialect.operations}
    return path if len(methods) == 1 else f"{operation.method} {path}"


def readable(value: object, indent: str = "") -> str:
    """JSON; what does not fit into one line has its members on lines of their own, plain ones as
    many as fit."""
    line = msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
    if len(indent) + len(line) <= LINE_MAX or not isinstance(value, (dict, list)):
        return line
    deeper = indent + "  "
    if isinstance(value, dict):
        members = [f"{readable(name)}: {readable(member, deeper)}"
                   for name, member in value.items()]
    else:
        members = [readable(member, deeper) for member in value]
    lines = [""]
    for number, member in enumerate(members, 1):
        member += "," if number < len(members) else ""
        plain = "\n" not in lines[-1] and "\n" not in member
        if lines[-1] and (not plain or len(lines[-1]) + 1 + len(member) > LINE_MAX - len(deeper)):
            lines.append("")
        lines[-1] += f" {member}" if lines[-1] else member
    return f"{line[0]}\n" + "".join(f"{deeper}{one}\n" for one in lines) + indent + line[-1]
