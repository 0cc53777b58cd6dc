"""The public page of an observer link, `/ob/<token>`: what its rights allow, for who has the link.

The link is the secret: no answer may be kept, framed, indexed, or told to another site, and a link
that ended is as one that never was. The page is one answer without scripts and loads nothing.
Whatever the query cannot mean is taken as if it were not there: it comes from a person's hands.
"""

import asyncio
import base64
import hashlib
import logging
import time
from array import array
from importlib import resources
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from api.auth.throttle import Throttle, address_key
from api.mining import observer_earnings, observer_view
from api.mining.observer_links import PATH, token_of
from api.replies import HEADERS
from api.shell import ADDRESS_FACTOR, SHELL, Shell
from api.times import BEIJING, NS_PER_S
from engine import HouseStopped, ObserverRight

DIALECT = "observer"
CALL = "page"
PREFIX_LENGTH_MAX = 128
PAGE_MAX = 1_000_000
DAY_S = 86_400
UTF8_HTML = "text/html; charset=utf-8"
# With one of these rights a page says how many workers there are.
COUNTED = ObserverRight.DASHBOARD | ObserverRight.WORKER

log = logging.getLogger(__name__)


class Problem(NamedTuple):
    """What stands on a page that shows nothing."""
    status: int
    outcome: str            # as it is counted
    title: str
    words: str


NOT_FOUND = Problem(404, "refused", "There is nothing here",
                    "This link has ended, or it was never one. Ask who gave it to you.")
TOO_MANY = Problem(429, "refused", "Too many wrong links",
                   "Too many links that do not exist were tried from here. Wait a little.")
STOPPED = Problem(503, "failed", "Not now", "The house has stopped. Try again later.")
FAULT = Problem(500, "failed", "Something went wrong", "It is a fault of ours, and in the log.")


class Query(NamedTuple):
    """What a page is asked for."""
    prefix: str             # of workers' names
    status: str             # of workers, "" for any
    page: int               # from 1
    until: int | None       # the last day of earnings, since 1970-01-01; None: yesterday

    def href(self, **changes: object) -> str:
        """The link to the same page with changes, relative to it."""
        asked = self._replace(**changes)
        fields = {"q": asked.prefix, "status": asked.status,
                  "page": asked.page if asked.page > 1 else "",
                  "until": "" if asked.until is None else observer_view.day_text(asked.until)}
        part = "earnings" if "until" in changes else "workers"
        given = {name: value for name, value in fields.items() if value}
        return f"?{urlencode(given, errors='replace')}#{part}"


class Filter(NamedTuple):
    """A link to the workers of one status, or of all."""
    status: str
    count: int
    href: str
    is_chosen: bool


def add_routes(app: web.Application) -> None:
    """Put the page into an app that has its shell."""
    pages = ObserverPages(app[SHELL])
    app.router.add_get(f"{PATH}{{token}}", pages.answer)


class ObserverPages:
    """The pages of one house."""

    def __init__(self, shell: Shell):
        self._shell = shell
        self._wrong_tokens = Throttle(shell.config.limits.logins_per_minute * ADDRESS_FACTOR)
        style = resources.files("api").joinpath("observer.css").read_text(encoding="utf-8")
        self._template = template(style)
        self._headers = HEADERS | {
            "Content-Security-Policy": policy(style),
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
            "X-Robots-Tag": "noindex, nofollow",
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The page, or why there is none."""
        try:
            html, problem = await self._page(request)
        except asyncio.CancelledError:
            raise
        except HouseStopped:
            html, problem = None, STOPPED
        except Exception as error:
            # Nothing of the request: its path is the secret.
            log.error("a page of an observer link failed", exc_info=error)
            html, problem = None, FAULT
        outcome = "ok" if problem is None else problem.outcome
        self._shell.answers[DIALECT, CALL, outcome] += 1
        if problem is not None:
            return self._response(self._template.render(problem=problem), problem.status)
        return self._response(html)

    def _response(self, html: str, status: int = 200) -> web.Response:
        # What somebody wrote into a name may have no encoding.
        return web.Response(body=html.encode("utf-8", "replace"), status=status,
                            headers=self._headers | {"Content-Type": UTF8_HTML})

    async def _page(self, request: web.Request) -> tuple[str | None, Problem | None]:
        house = self._shell.house
        token = token_of(request.match_info["token"])
        link = None if token is None else house.core.observers.by_token(token)
        if link is None:
            # Only they wait: who has a link may share an address with all others.
            address, loop_s = address_key(request.remote), asyncio.get_running_loop().time()
            if self._wrong_tokens.delay_s(address, loop_s) > 0:
                return None, TOO_MANY
            self._wrong_tokens.begin(address, loop_s)
            await house.settled()
            return None, NOT_FOUND
        query = read_query(request)
        history = None
        if link.rights & ObserverRight.PROFIT:
            history = await observer_earnings.read(house, link.account, self._now_s(), query.until)
        counts = await self._counts(link) if link.rights & COUNTED else None
        found = await self._found(link, query) if link.rights & ObserverRight.WORKER else None
        # It may have ended, or show less, since then.
        link = house.core.observers.by_token(token)
        if link is None:
            await house.settled()
            return None, NOT_FOUND
        html = self._template.render(self._shown(link, query, history, counts, found))
        await house.settled()
        return html, None

    async def _counts(self, link) -> dict[str, int]:
        """How many workers have each status."""
        return await observer_view.worker_counts(
            self._shell.house.core, link.account, self._now_s(), self._shell.config.pool)

    async def _found(self, link, query: Query) -> array:
        """The numbers of the workers that the query asks for."""
        core = self._shell.house.core
        # A worker is known by `account.worker`, too.
        name = core.sub_accounts.get(link.account).name
        return await observer_view.fitting_workers(
            core, link.account, self._now_s(), self._shell.config.pool,
            prefix=query.prefix.removeprefix(f"{name}."), status=query.status)

    def _shown(self, link, query: Query, history: observer_earnings.History | None,
               counts: dict[str, int] | None, found: array | None) -> dict[str, object]:
        """What the template needs; None for what the link does not show."""
        core, account, now_s = self._shell.house.core, link.account, self._now_s()
        config, zone = self._shell.config.pool, self._shell.zone
        rights, when = link.rights, observer_view.clock(zone)
        shown: dict[str, object] = {
            "problem": None, "account": core.sub_accounts.get(account).name, "remark": link.remark,
            "now": when(now_s), "day_end": when(now_s - now_s % DAY_S)[11:16],
            "zone": "Beijing time" if config.timezone == BEIJING else f"{config.timezone} time",
            "dashboard": None, "counts": None, "workers": None, "earnings": None, "sections": [],
        }
        if rights & ObserverRight.DASHBOARD:
            shown["dashboard"] = observer_view.dashboard(core, account, now_s, zone)
            shown["sections"].append("Speed")
        if history is not None and rights & ObserverRight.PROFIT:
            shown["earnings"] = observer_earnings.earnings(
                core, account, now_s, history,
                lambda until: query.href(until=until))
            shown["sections"].append("Earnings")
        if counts is not None and rights & COUNTED:
            shown["counts"] = counts
            shown["sections"].append("Workers")
        if counts is not None and found is not None and rights & ObserverRight.WORKER:
            shown |= self._workers(account, now_s, query, counts, found)
        return shown

    def _workers(self, account: int, now_s: int, query: Query, counts: dict[str, int],
                 found: array) -> dict[str, object]:
        """The list of workers, and the links to its other pages."""
        workers = observer_view.worker_page(
            self._shell.house.core, account, now_s, self._shell.config.pool, self._shell.zone,
            found, query.page)
        every = {"": sum(counts.values())} | counts
        return {
            "workers": workers, "prefix": query.prefix, "status": query.status,
            "filters": [Filter(status, count, query.href(status=status, page=1),
                               status == query.status) for status, count in every.items()],
            "earlier_page": query.href(page=workers.page - 1) if workers.page > 1 else "",
            "later_page": (query.href(page=workers.page + 1)
                           if workers.page < workers.pages else ""),
        }

    def _now_s(self) -> int:
        """Never before what has happened: the core's time does not follow a clock set back."""
        return max(time.time_ns(), self._shell.house.core.ts_ns) // NS_PER_S


def template(style: str) -> Template:
    """The page with that style; whatever is put into it is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    text = resources.files("api").joinpath("observer.html").read_text(encoding="utf-8")
    return environment.from_string(text, globals={"style": Markup(style)})


def policy(style: str) -> str:
    """The Content-Security-Policy of a page with that style, a form to itself, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
            "form-action 'self'; frame-ancestors 'none'")


def read_query(request: web.Request) -> Query:
    """What is asked for, as far as it means something."""
    given = request.query
    status, page = given.get("status", ""), given.get("page", "")
    return Query(
        prefix=given.get("q", "").strip()[:PREFIX_LENGTH_MAX],
        status=status if status in observer_view.STATUSES.values() else "",
        page=_whole(page),
        until=observer_view.day_of(given.get("until", "")))


def _whole(text: str) -> int:
    """A number of a page; 1 for what is none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(PAGE_MAX))
    return max(1, int(text)) if is_number else 1
