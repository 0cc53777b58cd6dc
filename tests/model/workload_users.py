"""Commands of a workload about users: sessions, payment passwords, fields, devices.

Few names, so that they meet; more of them than a user may have.
"""

from tests.model.cold_users import LOCK_NS, SECOND_NS
from tests.model.commands import (
    BindDevice, ClearPayTries, CreateSession, EndSession, RemoveDevice, SetIdentity, SetPassword,
    SetPayPassword, SetPermissions, SetProfile, TryPayPassword,
)

DAY_NS = 86_400 * SECOND_NS
FIELDS = 90
DEVICES = 40
KNOWN_PERMISSIONS = ("is_allow_login", "act_for_users", "manage_balances")
ODD_NAMES = ("", "with space", "x" * 65, "é", "a-b", b"bytes")
GOOD_VALUES = {
    SetPermissions: (0, 1, 2, 2**31 - 1), SetProfile: (*"abcdefgh", "ÄÖ 漢", "x" * 256),
    SetIdentity: (*(bytes([n]) for n in range(20)), bytes(1_200)),
}
ODD_VALUES = {
    SetPermissions: (-1, 2**31, "1", b"1", True, 1.0, []),
    SetProfile: ("", "x" * 257, "a\nb", "\x7f", b"x", 1, {}),
    SetIdentity: (b"", bytes(1_201), "x", 0, ["x"]),
}


def times_ahead(workload) -> list[int]:
    """When something about a user is over: a lock, tries, a session, a day."""
    now = workload.ts_ns
    times = [now - now % DAY_NS + DAY_NS]
    for user in workload.model.users.values():
        times += [ts_ns + LOCK_NS for ts_ns in user.pay_tries[-1:]] * len(user.pay_tries)
        times += list(user.sessions.values())[:1]
    return [ts_ns for ts_ns in times if ts_ns > now]


def fields(workload):
    choose = workload.random
    command = choose.choice((SetPermissions, SetProfile, SetIdentity))
    names = [f"field_{number}" for number in range(FIELDS)]
    chosen = choose.sample(names, choose.choice((0, 1, 1, 1, 2, 2, 3, 12, 20, 40)))
    if command is SetPermissions and choose.random() < 0.4:
        chosen.append(choose.choice(KNOWN_PERMISSIONS))
    values = {name: None if choose.random() < 0.3 else choose.choice(GOOD_VALUES[command])
              for name in chosen}
    odd = choose.random()
    if odd < 0.06:
        values[choose.choice(ODD_NAMES)] = choose.choice((None, *GOOD_VALUES[command]))
    elif odd < 0.12:
        values[choose.choice(names)] = choose.choice(ODD_VALUES[command])
    return command(workload.user_or_odd(), values)


def allow_login(workload) -> SetPermissions:
    """Who may not log in may do so again before long."""
    barred = [uid for uid, user in workload.model.users.items()
              if user.permissions.get("is_allow_login") == 0]
    value = workload.random.choice((1, 1, None, 0))
    return SetPermissions(workload.random.choice(barred or [1]), {"is_allow_login": value})


def bind_device(workload) -> BindDevice:
    choose = workload.random
    device_id = f"device {choose.randint(1, DEVICES)}"
    name, os = choose.choice(("phone", "x" * 64)), choose.choice(("Linux", "x"))
    odd = choose.random()
    if odd < 0.03:
        device_id = choose.choice(("", "x" * 129, "a\tb"))
    elif odd < 0.06:
        name = choose.choice(("", "x" * 65, "\0"))
    elif odd < 0.09:
        os = choose.choice(("", "x" * 65, "\x85"))
    return BindDevice(workload.user_or_odd(), device_id, name, os)


def remove_device(workload) -> RemoveDevice:
    choose = workload.random
    return RemoveDevice(workload.user_or_odd(), f"device {choose.randint(1, DEVICES + 1)}")


def try_pay_password(workload) -> TryPayPassword:
    """Mostly one of two users, who are locked again and again."""
    return TryPayPassword(workload.random.choice((1, 2, workload.user_or_odd())))


def tries_on_time(workload) -> list[TryPayPassword]:
    """By those whose last try was 15 minutes ago to the nanosecond, or one more or less."""
    return [TryPayPassword(uid) for uid, user in workload.model.users.items()
            if user.pay_tries and abs(user.pay_tries[-1] + LOCK_NS - workload.ts_ns) <= 1]


def clear_pay_tries(workload) -> ClearPayTries:
    return ClearPayTries(workload.user_or_odd())


def set_pay_password(workload) -> SetPayPassword:
    """User 5 never has one."""
    uid = workload.user_or_odd()
    return SetPayPassword(1 if uid == 5 else uid, workload.unique("$argon2id$pay"))


def create_session(workload) -> CreateSession:
    choose = workload.random
    digest = workload.counter.to_bytes(32, "little")
    workload.counter += 1
    odd = choose.random()
    if odd < 0.05:
        digest = workload.any_token_digest()
    elif odd < 0.08:
        digest = choose.choice((b"", bytes(31), bytes(33)))
    lifetime_s = choose.choice((1, 60, 3_600, 86_400, 366 * 86_400, 366 * 86_400))
    if choose.random() < 0.04:
        lifetime_s = choose.choice((0, -1, 366 * 86_400 + 1))
    return CreateSession(choose.choice((2, workload.user_or_odd())), digest, lifetime_s)


def end_session(workload) -> EndSession:
    return EndSession(workload.any_token_digest())


def set_password(workload) -> SetPassword:
    choose = workload.random
    keep = choose.choice((None, workload.any_token_digest(), bytes(32), b"short"))
    return SetPassword(workload.user_or_odd(), "$argon2id$of-nothing", keep)


MAKERS = (
    (fields, 4), (allow_login, 0.2), (bind_device, 2), (remove_device, 0.3),
    (try_pay_password, 3), (clear_pay_tries, 0.3), (set_pay_password, 0.4), (create_session, 2),
    (end_session, 0.6), (set_password, 0.2),
)
