"""The envelope of the pool's APIs, `{"code", "data", "message"}`, and what is put into it.

A success has code 0 and message null, a refusal one of CODES, data null and the reason in words.
Both have HTTP status 200.
"""

import msgspec

from api.auth.client_tokens import CallerRefused, WrongScope
from api.errors import Fault
from api.refusals import Refusal
from api.refusals import refusal_of as shared_refusal_of

OK = 0
CODES = {Fault.INPUT: 5010, Fault.AUTHENTICATION: 5020, Fault.OPERATION: 5030, Fault.RIGHT: 5040,
         Fault.SYSTEM: 5050}

# Around what a success shows, for who sends it in parts.
DONE_HEAD, DONE_TAIL = b'{"code":0,"data":', b',"message":null}'


def refusal_of(error: Exception, call: str) -> Refusal:
    """What to tell the caller of `call`, also where it was not shown who that is."""
    if isinstance(error, CallerRefused):
        return Refusal(Fault.AUTHENTICATION, "bad_token", str(error))
    if isinstance(error, WrongScope):
        return Refusal(Fault.RIGHT, "no_right", str(error))
    return shared_refusal_of(error, call)


def done_body(shown: object) -> bytes:
    """A success that shows something JSON-able, JSON as `msgspec.Raw` included."""
    return DONE_HEAD + msgspec.json.encode(shown) + DONE_TAIL


def refused_body(refusal: Refusal) -> bytes:
    # A name in a request may hold what no encoding can write.
    words = refusal.words.encode("utf-8", "replace").decode()
    return b'{"code":%d,"data":null,"message":%b}' % (
        CODES[refusal.fault], msgspec.json.encode(words))
