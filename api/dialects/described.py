"""What a call is, as its dialect, its documentation and `/openapi.json` all read it.

A dialect lists its calls as operations and refuses every field that is not in them, so what is
described is what is served.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter of a call.

    `form`: `text`, `whole` (a number without decimals), `decimal` (a number or its text), `flag`,
    `list` (a JSON list, or one text), `choice` (one of `choices`), `id` (a number or its text) or
    `user` (a name as text, or a uid as number). Where JSON alone will do: `number`, `integer`,
    `boolean`, `texts` (a list of texts).
    """
    name: str
    form: str
    meaning: str
    required: bool = True
    choices: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. `path` is the documented one, with `{name}` for what varies.

    `shows` is how the caller shows who calls: `none`, `token` (a header), `session` (cookie, header
    or parameter), `operator`, `account` (a client's token) or `signature` (that and a signed body).
    `answers` is an example of what a success gives as data, None where there is none.
    """
    name: str
    method: str
    path: str
    summary: str
    fields: tuple[Field, ...] = ()
    shows: str = "none"
    answers: object = None
