"""The `code` of a user center's answer: the call's range and the reason's number in it.

0 is success. Numbers are never used again. They are listed in docs/user-center.md.
"""

OTHER = 99              # what no call of this dialect should be refused for
NO_CALL = 9000

BASES = {
    "UserCenter/Login": 1100,
    "UserCenter/Regist": 1200,
    "Password/Login": 2100,
    "Password/Pay": 2200,
    "Device/AddBindDevice": 3100,
    "Device/RemoveBindDevice": 3200,
    "Device/CheckBindDevice": 3300,
    "User/Auth": 4100,
    "User/Info": 4200,
    "User/RealInfo": 4300,
    "Balance/AddBalance": 5100,
    "Balance/ReduceBalance": 5200,
    "Balance/TransferBalance": 5300,
    "Balance/AllocationBalance": 5400,
}

# The reasons of api.refusals, those of this dialect, and the names of results in lower case.
NUMBERS = {
    "input": 1,
    "no_such_call": 2,
    "too_large": 3,
    "no_token": 4,
    "bad_token": 5,
    "wrong_password": 6,
    "throttled": 7,
    "no_right": 8,
    "busy": 9,
    "stopped": 10,
    "internal": 11,
    "field_exists": 12,
    "unknown_field": 13,
    "no_match": 14,
    "crowded": 15,
    "unknown_user": 21,
    "bad_username": 22,
    "user_exists": 23,
    "too_many_users": 24,
    "no_pay_password": 31,
    "pay_password_locked": 32,
    "bad_device": 41,
    "unknown_device": 42,
    "too_many_devices": 43,
    "too_many_fields": 51,
    "unknown_coin": 61,
    "not_enough_money": 62,
    "not_enough_frozen": 63,
    "amount_too_large": 64,
    "same_account": 65,
    "bad_request_id": 66,
    "request_id_taken": 67,
}


def code_of(name: str, reason: str) -> int:
    """The code of a refusal. `name`: the call's, or "" for a path that is none."""
    return BASES.get(name, NO_CALL) + NUMBERS.get(reason, OTHER)
