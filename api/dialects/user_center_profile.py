"""What the user center keeps about a user: permissions, profile, and who the user really is.

Identity values are sealed before they enter a command, each for its user and its column, so that
they are readable nowhere on disk; and they enter no log and no message.
"""

import logging
import re
from collections.abc import Callable, Mapping

from api.auth import rights
from api.auth.seal import SealError
from api.dialects.user_center_calls import OWN_USER_ONLY, Call, Denied, Handler
from api.dialects.user_center_operations import ADD, LOOK_UP, SHOW
from api.numbers import InputError, read
from api.refusals import Refused
from engine import Kind

COLUMNS_MAX = 64
COLUMN = re.compile(r"[A-Za-z0-9_]{1,64}")
PERMISSION_MAX = 2**31 - 1
VALUE_LENGTH_MAX = 256
# As the core has it: C0, DEL, C1, line and paragraph separators, marks that turn the reading
# direction.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

# A value as the field `value` gives it, None for one that is to be removed, becomes what is kept.
Reader = Callable[[object], int | str]

log = logging.getLogger(__name__)


# -- permissions ---------------------------------------------------------------------------------

async def permissions(call: Call) -> object:
    columns, step = _columns(call), call.choice("oper_type")
    if step == LOOK_UP:
        return _looked_up(call, columns, call.user("uid").permissions, _permission)
    call.user("uid", rights.may_set_permissions)
    async with call.permissions:
        call.identify()
        user = call.user("uid", rights.may_set_permissions)
        fields = _values(call, columns, _permission)
        for column, value in fields.items():
            if not rights.may_set_permission(call.caller, user, column, value):
                raise Refused("no_right", OWN_USER_ONLY)
            if step == ADD and column in user.permissions:
                raise Denied("field_exists", f"column: {column} is there already")
            if step != ADD and column not in user.permissions:
                raise Denied("unknown_field", f"column: {column} is not there")
            if step == ADD and value is None:
                raise InputError("value", "null removes a field, it adds none")
        await call.submit(Kind.SET_PERMISSIONS, uid=user.uid, fields=fields)


def _permission(value: object) -> int:
    number = read("value", value, 0, zero=True)
    if number > PERMISSION_MAX:
        raise InputError("value", f"must be at most {PERMISSION_MAX}")
    return number


# -- profile and identity ------------------------------------------------------------------------

async def profile(call: Call) -> object:
    columns, user = _columns(call), call.user("uid")
    if call.choice("oper_type") == SHOW:
        return _looked_up(call, columns, user.profile, _text)
    await call.submit(Kind.SET_PROFILE, uid=user.uid, fields=_values(call, columns, _text))


async def identity(call: Call) -> object:
    columns = _columns(call)
    if call.choice("oper_type") == SHOW:
        user = call.user("uid", rights.may_read_identity)
        return _looked_up(call, columns, _unsealed(call, user, columns), _text)
    user = call.user("uid")
    fields = {
        column: value and call.seal.seal(value.encode(), _context(user.uid, column))
        for column, value in _values(call, columns, _text).items()}
    await call.submit(Kind.SET_IDENTITY, uid=user.uid, fields=fields)


def _unsealed(call: Call, user, columns: list[str]) -> dict[str, str]:
    """Those of the columns that the user has. Raises Refused where the seal is another one."""
    shown = {}
    for column in columns:
        sealed = user.identity.get(column)
        if sealed is None:
            continue
        try:
            shown[column] = call.seal.unseal(sealed, _context(user.uid, column)).decode()
        except SealError as error:
            log.error("identity of user %d: %s", user.uid, error)
            raise Refused("internal", "column: this house cannot read it any more") from None
    return shown


def _context(uid: int, column: str) -> str:
    """What an identity value is sealed for: elsewhere it does not open."""
    return f"identity {uid} {column}"


def _text(value: object) -> str:
    if type(value) is not str:
        raise InputError("value", "must be texts")
    if not 1 <= len(value) <= VALUE_LENGTH_MAX or CONTROLS.search(value):
        raise InputError("value", f"must have 1 to {VALUE_LENGTH_MAX} characters, no control ones")
    return value


# -- columns and values --------------------------------------------------------------------------

def _columns(call: Call) -> list[str]:
    """The field `column`: a name or a list of names, none of them twice."""
    given = call.given["column"]
    columns = given if type(given) is list else [given]
    if not 1 <= len(columns) <= COLUMNS_MAX:
        raise InputError("column", f"must be 1 to {COLUMNS_MAX} names")
    for column in columns:
        if type(column) is not str or COLUMN.fullmatch(column) is None:
            raise InputError("column", "must be names of 1 to 64 characters of A-Z a-z 0-9 _")
    if len(set(columns)) != len(columns):
        raise InputError("column", "must name each field once")
    return columns


def _values(call: Call, columns: list[str], reader: Reader) -> dict[str, int | str | None]:
    """The field `value` for those columns, None for each that is null."""
    if "value" not in call.given:
        raise InputError("value", "is missing")
    given = call.given["value"]
    values = given if type(given) is list else [given]
    if len(values) != len(columns):
        raise InputError("value", "must have one value for each column")
    return {column: None if value is None else reader(value)
            for column, value in zip(columns, values, strict=True)}


def _looked_up(call: Call, columns: list[str], held: Mapping[str, int | str],
               reader: Reader) -> dict[str, int | str | None] | None:
    """What is held under the columns; where values are given, None if they are the same.

    Raises Denied where they are not.
    """
    given = call.given.get("value")
    # A JSON object is a list of its members, an empty one too: it is no value.
    if given is None or given == "" or type(given) is list and not given:
        return {column: held.get(column) for column in columns}
    for column, value in _values(call, columns, reader).items():
        if held.get(column) != value:
            raise Denied("no_match", "value: is not what is held")
    return None


HANDLERS: dict[str, Handler] = {
    "User/Auth": permissions,
    "User/Info": profile,
    "User/RealInfo": identity,
}
