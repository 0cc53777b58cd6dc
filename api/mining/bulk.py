"""Answers too long to be held at once: the hours of all workers, sent as they are read.

An answer may have a row for every worker in each of 744 hours. It is made in slices, and others are
served between two of them. Nothing goes out that is not on disk.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import tzinfo
from json.encoder import encode_basestring as quoted

from aiohttp import web

from api.connection import Connection
from api.mining.speeds import RATE_TEXTS, hour_label
from api.replies import CONTENT_TYPE, HEADERS
from engine import House

log = logging.getLogger("orebook")


async def worker_hours(house: House, account: int, first_hour: int, last_hour: int, zone: tzinfo,
                       time_field: str) -> AsyncGenerator[bytes]:
    """The parts of a JSON list: the speed of each of a sub-account's workers in each hour of the
    range in which it had shares. Raises HouseStopped."""
    label, rates, before = hour_label(zone), RATE_TEXTS, "["
    async for start_s, columns in house.worker_hours.of_workers(account, first_hour, last_hour):
        at = label(start_s)
        texts = [
            f'{{"worker":{quoted(name)},"{time_field}":"{at}","validSpeed":{valid_speed},'
            f'"rejectRate":{rates[rate_permille]}}}'
            for name, valid_speed, rate_permille in zip(*columns)]
        if not texts:
            continue
        part = (before + ",".join(texts)).encode()
        before = ","
        # The youngest hours are those of memory.
        await house.settled()
        yield part
    yield b"]" if before == "," else b"[]"


async def send(request: web.Request, head: bytes, parts: AsyncGenerator[bytes],
               tail: bytes) -> web.StreamResponse:
    """Send a long JSON answer as its parts come.

    What is raised before the first part comes is raised here. Later there is no more to say than
    that the answer breaks off: the connection is closed within it. So it is where a client does not
    take a part within the time that a request may take.
    """
    async with aclosing(parts):
        part = await anext(parts)
        response = web.StreamResponse(headers=HEADERS)
        response.content_type, response.charset = CONTENT_TYPE, "utf-8"
        await response.prepare(request)
        try:
            await response.write(head + part)
            async for part in parts:
                if isinstance(request.protocol, Connection):
                    request.protocol.get_on()
                await response.write(part)
            await response.write(tail)
            await response.write_eof()
        except ConnectionError:
            raise
        except Exception as error:
            log.exception("the answer to %s broke off", request.path)
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the answer broke off") from error
    return response
