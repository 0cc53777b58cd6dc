"""A line for each request (`[server] access_log`), without what only caller and house should know.

Sessions, passwords and codes may come in the query, so of it only the router's name is written; of
an observer link, which is a secret as a whole, that it was one; of headers nothing. What is written
is percent-encoded: no request can make up a line.
"""

from urllib.parse import quote

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from api.mining.observer_links import PATH as OBSERVER_PATH

PATH_LENGTH_MAX = 256
NAME_LENGTH_MAX = 64


class AccessLog(AbstractAccessLogger):
    """Address, method, path and router, status, bytes of the body, seconds."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        place = request.rel_url.raw_path[:PATH_LENGTH_MAX]
        # Anywhere in it: a proxy may have put something in front.
        if OBSERVER_PATH in request.rel_url.path:
            place = f"{OBSERVER_PATH}..."
        name = request.rel_url.query.get("router", "")[:NAME_LENGTH_MAX]
        if name:
            place += f"?router={quote(name, safe='', errors='replace')}"
        self.logger.info("%s %s %s %d %d %.6f", request.remote, request.method, place,
                         response.status, response.body_length, time)
