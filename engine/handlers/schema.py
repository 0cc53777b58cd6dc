"""The check of a cold command's fields before its handler: names and types, not ranges."""

from collections.abc import Mapping
from types import UnionType
from typing import get_args


def fits(args: object, fields: Mapping[str, type | UnionType]) -> bool:
    """True where args is a map of exactly these fields, each of its exact type (a bool is no int).

    A field declared `type | None` may be nil or missing.
    """
    if type(args) is not dict or not args.keys() <= fields.keys():
        return False
    return all(type(args.get(name)) in (get_args(declared) or (declared,))
               for name, declared in fields.items())
