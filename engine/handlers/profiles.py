"""What is kept about users beside their money: permissions, profile, identity, devices.

Fields are set all or none; nil removes one. The core knows one permission, that to log in; what the
others allow is up to the dialects. Identity values come and stay sealed.
"""

import re
from collections.abc import Callable
from typing import Any

from engine.codes import Kind, Result
from engine.handlers.checks import is_text
from ledger.users import MAY_LOG_IN, Device

FIELD_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
FIELDS_MAX = 64
PERMISSION_MAX = 2**31 - 1
VALUE_LENGTH_MAX = 256
SEALED_BYTES_MAX = 1_200
DEVICES_MAX = 20
DEVICE_ID_LENGTH_MAX = 128
DEVICE_TEXT_LENGTH_MAX = 64


def set_permissions(core, ts_ns, seq, args):
    """UNKNOWN_USER, BAD_FIELDS, TOO_MANY_FIELDS. Who may not log in any more is logged out."""
    result = set_fields(core, args, "permissions", is_permission)
    if result == Result.OK and args["fields"].get(MAY_LOG_IN) == 0:
        core.sessions.end_all(args["uid"])
    return result


def set_profile(core, ts_ns, seq, args):
    """UNKNOWN_USER, BAD_FIELDS, TOO_MANY_FIELDS."""
    return set_fields(core, args, "profile", is_profile_text)


def set_identity(core, ts_ns, seq, args):
    """UNKNOWN_USER, BAD_FIELDS, TOO_MANY_FIELDS."""
    return set_fields(core, args, "identity", is_sealed)


def set_fields(core, args, subject: str, is_value: Callable[[Any], bool]) -> Result:
    """Set or remove the fields that the command names in one of a user's maps."""
    user, fields = core.users.person(args["uid"]), args["fields"]
    if user is None:
        return Result.UNKNOWN_USER
    if not fields:
        return Result.BAD_FIELDS
    for name, value in fields.items():
        if type(name) is not str or FIELD_NAME.fullmatch(name) is None:
            return Result.BAD_FIELDS
        if value is not None and not is_value(value):
            return Result.BAD_FIELDS
    after = getattr(user, subject) | fields
    after = {name: value for name, value in after.items() if value is not None}
    if len(after) > FIELDS_MAX:
        return Result.TOO_MANY_FIELDS
    core.users.change(user.uid, **{subject: after})
    return Result.OK


def is_permission(value: object) -> bool:
    return type(value) is int and 0 <= value <= PERMISSION_MAX


def is_profile_text(value: object) -> bool:
    return type(value) is str and is_text(value, 1, VALUE_LENGTH_MAX)


def is_sealed(value: object) -> bool:
    return type(value) is bytes and 1 <= len(value) <= SEALED_BYTES_MAX


def bind_device(core, ts_ns, seq, args):
    """UNKNOWN_USER, BAD_DEVICE, TOO_MANY_DEVICES. One that is bound is named anew, in its place."""
    user = core.users.person(args["uid"])
    bound = Device(args["device_id"], args["name"], args["os"])
    if user is None:
        return Result.UNKNOWN_USER
    if not is_text(bound.device_id, 1, DEVICE_ID_LENGTH_MAX):
        return Result.BAD_DEVICE
    if not all(is_text(text, 1, DEVICE_TEXT_LENGTH_MAX) for text in (bound.name, bound.os)):
        return Result.BAD_DEVICE
    if user.device(bound.device_id) is not None:
        devices = tuple(bound if device.device_id == bound.device_id else device
                        for device in user.devices)
    elif len(user.devices) >= DEVICES_MAX:
        return Result.TOO_MANY_DEVICES
    else:
        devices = (*user.devices, bound)
    core.users.change(user.uid, devices=devices)
    return Result.OK


def remove_device(core, ts_ns, seq, args):
    """UNKNOWN_USER, UNKNOWN_DEVICE."""
    user = core.users.person(args["uid"])
    if user is None:
        return Result.UNKNOWN_USER
    if user.device(args["device_id"]) is None:
        return Result.UNKNOWN_DEVICE
    core.users.change(user.uid, devices=tuple(
        device for device in user.devices if device.device_id != args["device_id"]))
    return Result.OK


HANDLERS = {
    Kind.SET_PERMISSIONS: set_permissions,
    Kind.SET_PROFILE: set_profile,
    Kind.SET_IDENTITY: set_identity,
    Kind.BIND_DEVICE: bind_device,
    Kind.REMOVE_DEVICE: remove_device,
}
FIELDS = {
    Kind.SET_PERMISSIONS: {"uid": int, "fields": dict},
    Kind.SET_PROFILE: {"uid": int, "fields": dict},
    Kind.SET_IDENTITY: {"uid": int, "fields": dict},
    Kind.BIND_DEVICE: {"uid": int, "device_id": str, "name": str, "os": str},
    Kind.REMOVE_DEVICE: {"uid": int, "device_id": str},
}
