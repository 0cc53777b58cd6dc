"""The OpenAPI document of a house, made from what its dialects say of their calls (api/catalog).

Calls that share a path and a method are one operation here: its body is one of theirs, and a query
may have the parameters of all. What answers show is given by example only; their envelopes have
schemas.
"""

from collections.abc import Iterable, Iterator, Mapping

from api.catalog import CONTENT_TYPES, DIALECTS, JSON, Dialect
from api.dialects.described import Field, Operation

VERSION = "3.1.0"
DECIMAL = r"^[0-9]*\.?[0-9]*([eE][+-]?[0-9]+)?$"
SCHEMAS: Mapping[str, Mapping[str, object]] = {
    "text": {"type": "string"},
    "whole": {"type": ["integer", "string"], "pattern": DECIMAL},
    "decimal": {"type": ["number", "string"], "pattern": DECIMAL},
    "flag": {"enum": [True, False, "true", "false", "1", "0"]},
    "list": {"type": ["array", "string", "number", "null"]},
    "id": {"type": ["integer", "string"]},
    "user": {"type": ["integer", "string"]},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": "string"}},
}
SECURITY_SCHEMES = {
    "session_cookie": {"type": "apiKey", "in": "cookie", "name": "session",
                       "description": "Set by a login; for browsers."},
    "session_header": {"type": "apiKey", "in": "header", "name": "session",
                       "description": "The token that login of the exchange router gives."},
    "token": {"type": "apiKey", "in": "header", "name": "token",
              "description": "The token that UserCenter/Login gives, or /operator/login."},
    "client_token": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "HS256 with a client credential's secretKey; claims clientId, rnd, exp. "
                       "Each works once."},
}
# By how the caller shows who calls: any one of these schemes.
SECURITY: Mapping[str, list[dict[str, list]]] = {
    "none": [],
    "session": [{"session_cookie": []}, {"session_header": []}],
    "token": [{"token": []}],
    "operator": [{"token": []}, {"client_token": []}],
    "account": [{"client_token": []}],
    "signature": [{"client_token": []}],
}
SESSION_SCHEMA = {"type": "string", "description": "the session's token, in place of the cookie"}


def document(url: str, version: str, dialects: Iterable[Dialect] = DIALECTS) -> dict[str, object]:
    """The document, for a house at that address ("" where nobody has told it its own)."""
    schemas: dict[str, object] = {}
    paths: dict[str, dict[str, object]] = {}
    for dialect in dialects:
        if dialect.envelope is not None:
            schemas |= _envelope_schemas(dialect)
        for (path, method), operations in grouped(dialect.operations).items():
            for operation in operations:
                if _in_body(operation):
                    schemas[_schema_name(dialect, operation)] = _body_schema(dialect, operation)
                if dialect.signed:
                    schemas[f"{_schema_name(dialect, operation)}-signed"] = _signed_schema(
                        dialect, operation)
            paths.setdefault(path, {})[method.lower()] = _described(dialect, operations)
    return {
        "openapi": VERSION,
        "info": {"title": "Orebook", "version": version,
                 "summary": "An exchange and a mining pool in one house."},
        "servers": [{"url": url or "/"}],
        "tags": [{"name": dialect.title, "description": "\n\n".join(dialect.about)}
                 for dialect in dialects],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": SECURITY_SCHEMES},
    }


def grouped(operations: Iterable[Operation]) -> dict[tuple[str, str], list[Operation]]:
    """Operations by path and method."""
    groups: dict[tuple[str, str], list[Operation]] = {}
    for operation in operations:
        groups.setdefault((operation.path, operation.method), []).append(operation)
    return groups


def _described(dialect: Dialect, operations: list[Operation]) -> dict[str, object]:
    """One path's method."""
    first = operations[0]
    alone = len(operations) == 1
    name = first.name.replace("/", ".") if alone else first.method.lower()
    described: dict[str, object] = {
        "operationId": f"{dialect.name}.{name}",
        "tags": [dialect.title],
        "summary": first.summary if alone else f"{dialect.title}: calls by {first.method}.",
        "security": _security(operations),
        "responses": _responses(dialect, operations),
    }
    if not alone:
        described["description"] = "\n".join(f"- `{operation.name}`: {operation.summary}"
                                             for operation in operations)
    parameters = list(_parameters(dialect, operations))
    if parameters:
        described["parameters"] = parameters
    if _in_body(first) and _has_body(dialect, operations):
        described["requestBody"] = _request_body(dialect, operations)
    return described


# -- the request -----------------------------------------------------------------------------------

def _in_body(operation: Operation) -> bool:
    """Whether its fields come in a body, but for those in its path."""
    return operation.method not in ("GET", "DELETE")


def _has_body(dialect: Dialect, operations: list[Operation]) -> bool:
    return bool(dialect.selector) or dialect.signed or any(
        operation.fields for operation in operations)


def _is_in_path(field: Field, operation: Operation) -> bool:
    return f"{{{field.name}}}" in operation.path


def _schema_name(dialect: Dialect, operation: Operation) -> str:
    return f"{dialect.name}.{operation.name.replace('/', '.')}"


def _field_schema(field: Field) -> dict[str, object]:
    if field.form == "choice":
        return {"enum": [*field.choices]}
    return dict(SCHEMAS[field.form])


def _parameters(dialect: Dialect, operations: list[Operation]) -> Iterator[dict[str, object]]:
    """Those in the path, and those in the query where there is no body."""
    first = operations[0]
    if dialect.selector and not _in_body(first):
        yield {"name": dialect.selector, "in": "query", "required": True,
               "description": "the call", "schema": {"enum": [one.name for one in operations]}}
    uses: dict[str, list[tuple[Operation, Field]]] = {}
    for operation in operations:
        for field in operation.fields:
            if _is_in_path(field, operation) or not _in_body(operation):
                uses.setdefault(field.name, []).append((operation, field))
    for name, used in uses.items():
        operation, field = used[0]
        meaning = field.meaning
        if len(operations) > 1:
            calls = ", ".join(operation.name for operation, _ in used)
            meaning = f"{meaning}; of {calls}"
        required = len(used) == len(operations) and all(field.required for _, field in used)
        yield {"name": name, "in": "path" if _is_in_path(field, operation) else "query",
               "required": required, "description": meaning, "schema": _field_schema(field)}


def _request_body(dialect: Dialect, operations: list[Operation]) -> dict[str, object]:
    suffix = "-signed" if dialect.signed else ""
    names = [_schema_name(dialect, operation) + suffix for operation in operations]
    references = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    schema: dict[str, object] = references[0]
    if len(operations) > 1:
        schema = {"oneOf": references, "discriminator": {
            "propertyName": "action" if dialect.signed else dialect.selector,
            "mapping": {operation.name: reference["$ref"]
                        for operation, reference in zip(operations, references)}}}
    required = bool(dialect.selector) or dialect.signed or any(
        field.required and not _is_in_path(field, operation)
        for operation in operations for field in operation.fields)
    return {"required": required, "content": {content_type: {"schema": schema}
                                              for content_type in dialect.body_types}}


def _body_schema(dialect: Dialect, operation: Operation) -> dict[str, object]:
    """What the body of a call may hold."""
    properties: dict[str, object] = {}
    required = []
    if dialect.selector:
        properties[dialect.selector] = {"const": operation.name}
        required.append(dialect.selector)
    for field in operation.fields:
        if _is_in_path(field, operation):
            continue
        properties[field.name] = _field_schema(field) | {"description": field.meaning}
        if field.required:
            required.append(field.name)
    if dialect.session_parameter:
        properties["session"] = SESSION_SCHEMA
    schema = {"type": "object", "description": operation.summary, "properties": properties,
              "additionalProperties": False}
    # An empty list would be no valid schema in older drafts.
    return schema | ({"required": required} if required else {})


def _signed_schema(dialect: Dialect, operation: Operation) -> dict[str, object]:
    """The body in which the fields of a call travel as a text, and signed."""
    fields = {"$ref": f"#/components/schemas/{_schema_name(dialect, operation)}"}
    properties = {
        "action": {"const": operation.name},
        "at": {"type": "number", "description": "now, in Unix seconds"},
        "data": {"type": "string", "contentMediaType": JSON, "contentSchema": fields,
                 "description": "the fields of the call, as the text of a JSON object"},
        "signNonce": {"type": "string", "minLength": 1, "maxLength": 64,
                      "description": "another one for each call"},
        "sign": {"type": "string", "pattern": "^[0-9a-f]{64}$",
                 "description": "HMAC-SHA256 with the secretKey, in hex, of action + at + data + "
                                "signNonce + secretSalt"},
    }
    return {"type": "object", "description": operation.summary, "properties": properties,
            "additionalProperties": False, "required": list(properties)}


def _security(operations: list[Operation]) -> list[dict[str, list]]:
    """Any one of these opens a call; an empty one means that some need none."""
    ways: list[dict[str, list]] = []
    for shows in dict.fromkeys(operation.shows for operation in operations):
        ways += SECURITY[shows] or ([{}] if len(operations) > 1 else [])
    return ways


# -- the answer ------------------------------------------------------------------------------------

def _envelope_schemas(dialect: Dialect) -> dict[str, object]:
    """A success and a refusal, by name."""
    envelope = dialect.envelope
    return {
        f"{dialect.name}-done": {
            "type": "object", "properties": dict(envelope.done), "additionalProperties": False,
            "required": [name for name in envelope.done if name not in envelope.optional]},
        f"{dialect.name}-refused": {
            "type": "object", "properties": dict(envelope.refused), "additionalProperties": False,
            "required": list(envelope.refused)},
    }


def _responses(dialect: Dialect, operations: list[Operation]) -> dict[str, object]:
    envelope = dialect.envelope
    if envelope is None:
        return {"200": _plain_response(operations[0])}
    done, refused = ({"$ref": f"#/components/schemas/{dialect.name}-{outcome}"}
                     for outcome in ("done", "refused"))
    examples = {operation.name.replace("/", "."): {
        "summary": operation.summary, "value": envelope.around(operation.answers)}
        for operation in operations}
    refusal = {"summary": "a refusal", "value": dict(envelope.refusal)}
    return {
        "200": {"description": "Done, or refused in words.", "content": {JSON: {
            "schema": {"oneOf": [done, refused]}, "examples": examples | {"refused": refusal}}}},
        "default": {"description": "Refused, or it could not be looked at.", "content": {JSON: {
            "schema": refused, "examples": {"refused": refusal}}}},
    }


def _plain_response(operation: Operation) -> dict[str, object]:
    content_type = CONTENT_TYPES.get(operation.path, JSON)
    content: dict[str, object] = {}
    if operation.answers is not None:
        content["example"] = operation.answers
    return {"description": operation.summary, "content": {content_type: content}}
