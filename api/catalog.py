"""Every call of a house, dialect by dialect: what /docs and /openapi.json show.

The operations are those that the dialects themselves obey; here is added what all calls of a
dialect have in common: how fields travel, what goes around an answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.dialects import (
    action_api, mining_wallet, operator_described, router_described, user_api_described,
    user_center)
from api.dialects.described import Field, Operation

JSON = "application/json"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
# What is no JSON, by path.
CONTENT_TYPES = {"/metrics": "text/plain", "/docs": "text/html", "/ob/{token}": "text/html"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What goes around an answer: JSON schemas by member, and examples.

    `done` and `refused` are all members of a success and of a refusal. `around` gives the whole
    success from what it shows.
    """
    done: Mapping[str, object]
    refused: Mapping[str, object]
    around: Callable[[object], dict[str, object]]
    refusal: Mapping[str, object]
    optional: frozenset[str] = frozenset()      # members that a success may lack


@dataclass(frozen=True, slots=True)
class Dialect:
    """One door of the house.

    `body_types`: the content types that a body may have. `selector`: the parameter that names the
    call where the path does not. `session_parameter`: whether a session may come along as one.
    `signed`: the fields travel as a text in a signed body (docs/pool-callers.md), whose `action`
    names the call.
    Without an envelope an answer is what it shows.
    """
    name: str
    title: str
    about: tuple[str, ...]
    operations: tuple[Operation, ...]
    body_types: tuple[str, ...] = ()
    envelope: Envelope | None = None
    selector: str = ""
    session_parameter: bool = False
    signed: bool = False


TEXT = {"type": "string"}
NULL = {"type": "null"}
ANY: Mapping[str, object] = {}


def is_(value: object) -> dict[str, object]:
    """The schema of one value and no other."""
    return {"const": value}


ROUTER = Dialect(
    "router", "Exchange router", (
        "All calls have one path. The parameter `router` names the call, and the others are its "
        "fields; they may come in the query, in a form or in a JSON object, and are merged.",
        "`login` begins a session. Its token is sent as the cookie `session`, as the header "
        "`session`, or as a parameter `session`, which may come along with any call.",
        "A refusal has HTTP status 200, too: `status` is false, and `description` says why. Other "
        "HTTP statuses mean that the request could not be looked at.",
    ), router_described.OPERATIONS, (JSON, *FORMS),
    Envelope(
        done={"status": is_(True), "data": ANY, "description": is_("")},
        refused={"status": is_(False), "data": is_(""), "description": TEXT},
        around=lambda shown: {"status": True, "data": "" if shown is None else shown,
                              "description": ""},
        refusal={"status": False, "data": "",
                 "description": "amount: must have at most 6 decimals"},
    ), selector="router", session_parameter=True)

USER_CENTER = Dialect(
    "user_center", "User center", (
        "Fields come in a JSON object, in a form or in the query, and are merged. A path is read "
        "in any case of letters, with and without a slash at its end.",
        "The header `token` says who calls; `UserCenter/Login` gives one. A user acts for itself; "
        "a super administrator, or who has the permission `act_for_users`, for others too.",
        "A refusal has HTTP status 200, too: `status` is 0, `code` tells reasons apart, and "
        "`message` says why. Other HTTP statuses mean that the request could not be looked at.",
    ), user_center.OPERATIONS, (JSON, *FORMS),
    Envelope(
        done={"status": is_(1), "data": ANY, "code": is_(0), "message": is_("")},
        refused={"status": is_(0), "data": TEXT, "code": {"type": "integer", "minimum": 1},
                 "message": TEXT},
        around=lambda shown: {"status": 1, "data": shown, "code": 0, "message": ""},
        refusal={"status": 0, "data": "操作失败", "code": 5301,
                 "message": "transNum: must be more than zero"},
    ))

MINING_WALLET = Dialect(
    "mining_wallet", "Mining wallet", (
        "Fields come in the query, in a form or in a JSON object, and are merged. A path is served "
        "with and without the slash at its end, `get/may/` and `sign/` below `mining/` too.",
        "`user/login/` begins a session, and so does `login` of the exchange router. Its token is "
        "sent as the cookie `session`, as the header `session`, or as a parameter `session`.",
        "A refusal has HTTP status 4xx or 5xx; its `message` says why.",
    ), mining_wallet.OPERATIONS, (JSON, *FORMS),
    Envelope(
        done={"status": is_("success"), "data": ANY},
        refused={"status": is_("error"), "message": TEXT},
        around=lambda shown: ({"status": "success"}
                              | ({} if shown is None else {"data": shown})),
        refusal={"status": "error", "message": "num: must be more than zero"},
        optional=frozenset({"data"}),
    ), session_parameter=True)

OPERATOR = Dialect(
    "operator", "Operator", (
        "What it takes to run the house. Fields come in the JSON object of a POST and in the query "
        "of the others.",
        "The caller is a super administrator, by the header `token` that `login` gives, or a "
        "client credential of the scope `operator`, by a new JWT in the header `Authorization` of "
        "each call.",
        "A refusal has HTTP status 200, too: `code` is not 0, and `message` says why.",
    ), operator_described.OPERATIONS, (JSON,),
    Envelope(
        done={"code": is_(0), "data": ANY, "message": NULL},
        refused={"code": {"enum": [5010, 5020, 5030, 5040, 5050]}, "data": NULL, "message": TEXT},
        around=lambda shown: {"code": 0, "data": shown, "message": None},
        refusal={"code": 5010, "data": None, "message": "amount: must be more than zero"},
    ))

USER_API = Dialect(
    "user_api", "Pool: user API", (
        "What a miner's own programs ask the pool for. Fields come in the query; those of a POST "
        "in a JSON object, in a form or in the query, and are merged.",
        "The caller is a client credential of the scope `account`, by a new JWT in the header "
        "`Authorization` of each call. It sees the sub-accounts of its own user.",
        "A refusal has HTTP status 200, too: `code` is not 0, and `message` says why.",
    ), user_api_described.OPERATIONS, (JSON, *FORMS),
    Envelope(
        done={"code": is_(0), "data": ANY, "message": NULL},
        refused={"code": {"enum": [5010, 5020, 5030, 5040, 5050]}, "data": NULL, "message": TEXT},
        around=lambda shown: {"code": 0, "data": shown, "message": None},
        refusal={"code": 5040, "data": None,
                 "message": "account: is no sub-account of this credential's user"},
    ))

ACTION_API = Dialect(
    "action_api", "Pool: action API", (
        "For who runs a mining pool. All actions have one path, `/action-api`, and `/` is the "
        "same. The body is signed: `action` names the action, `data` is the text of a JSON object "
        "with its fields.",
        "The caller is a client credential of the scope `operator`, by a new JWT in the header "
        "`Authorization` of each call.",
        "A refusal has HTTP status 200, too: `code` is not 0, and `message` says why.",
    ), action_api.OPERATIONS, (JSON,),
    Envelope(
        done={"code": is_(0), "data": ANY, "message": NULL},
        refused={"code": {"enum": [5010, 5020, 5030, 5040, 5050]}, "data": NULL, "message": TEXT},
        around=lambda shown: {"code": 0, "data": shown, "message": None},
        refusal={"code": 5030, "data": None, "message": "userName: username3 is not a sub-account"},
    ), signed=True)

OBSERVER = Dialect(
    "observer", "Observer links", (
        "Who has the link of an observer sees a sub-account's speeds, workers or earnings, as its "
        "rights allow, without logging in. `observer/create` and `SubAccount.AddObserverInfo` "
        "make one, `SubAccount.DeleteObserverInfo` ends it.",
    ), (
        Operation("observer_page", "GET", "/ob/{token}",
                  "What the link shows, as a page to read; 404 where it has ended.", (
                      Field("token", "text", "of the link"),
                      Field("q", "text", "how the names of the workers begin", False),
                      Field("status", "choice", "of the workers", False,
                            ("running", "stopped", "invalid")),
                      Field("page", "whole", "of the list of workers, from 1", False),
                      Field("until", "text", "the last day of the earnings, `2026-01-31`", False),
                  )),
    ))

SERVICE = Dialect(
    "service", "The house itself", (
        "For those who watch the house, and for readers of its calls.",
    ), (
        Operation("healthz", "GET", "/healthz", "Whether the process is up.",
                  answers={"status": "up"}),
        Operation("readyz", "GET", "/readyz", "Whether the journal can be written; 503 where the "
                  "house has stopped.", answers={"status": "ready"}),
        Operation("metrics", "GET", "/metrics", "Numbers for Prometheus, in its text format."),
        Operation("openapi", "GET", "/openapi.json", "All calls as an OpenAPI document."),
        Operation("docs", "GET", "/docs", "All calls as a page to read."),
    ))

DIALECTS = (
    ROUTER, USER_CENTER, MINING_WALLET, USER_API, ACTION_API, OPERATOR, OBSERVER, SERVICE)
