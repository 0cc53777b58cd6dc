"""Runs a house: opens its folder, answers on its address, and ends it without losing an answer.

The order of a start: the folder is locked and recovered, the first start's commands are sent, only
then does anyone get in, and what runs by itself begins: settlement, the networks' nodes, payouts.
The order of an end: these stop where they are, no new connections and no new requests, the answers
in flight go out, the journal is synced, the folder is free. A fail-stop ends the process too, with
its reason and an exit code of its own.
"""

import asyncio
import logging
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from aiohttp import web

from api.app import make_app
from api.auth.seal import Seal, SealError
from api.config import Config
from api.first_start import FirstStartFailed, first_start
from api.mining.network_poller import polling
from api.mining.settling import SETTLER, settling
from api.payouts.running import paying
from api.shell import SHELL
from api.site import LimitedSite
from engine import FolderLocked, Halt, House, HouseSettings, HouseStopped, JournalDamage

# How long an end waits for answers in flight: for the disk, and for clients that read slowly.
ANSWERS_OUT_S = 30
BACKLOG = 1024


class Exit(IntEnum):
    """How a command ends."""

    OK = 0
    FAULT = 1               # the command found what it looks for, or was refused
    USAGE = 2               # arguments or configuration
    FOLDER_IN_USE = 3       # another process has the data folder
    DAMAGED = 4             # journal, state or key file cannot be used
    STOPPED = 5             # fail-stop while it ran
    NO_ADDRESS = 6          # the address is taken, or is none of this machine's


class StartRefused(Exception):
    """The house does not start; the text is for the user."""

    def __init__(self, exit_code: Exit, message: str):
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Running:
    """A house that answers at `url`. `new_password` is the operator's, where it was made up now."""

    house: House
    url: str
    new_password: str | None


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Running]:
    """A house that serves as long as the context is open. Raises StartRefused."""
    directory = Path(config.data.dir)
    tls = _tls(config)
    house = await _open(config, directory)
    try:
        try:
            new_password = await first_start(house, config, Seal.open(directory))
            app = make_app(house, config)
        except FirstStartFailed as error:
            raise StartRefused(Exit.USAGE, str(error)) from None
        except SealError as error:
            raise StartRefused(Exit.DAMAGED, str(error)) from None
        except HouseStopped as error:
            raise StartRefused(Exit.STOPPED, str(error)) from None
        # aiohttp waits so long for handlers, and once more for them after their bodies are refused.
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=ANSWERS_OUT_S / 2)
        await runner.setup()
        try:
            url = await _listen(runner, config, tls)
            async with (settling(house, app[SETTLER], config.pool),
                        polling(house, config.networks, app[SHELL].answers),
                        paying(house, config.wallets, app[SHELL].answers)):
                yield Running(house, url, new_password)
        finally:
            await runner.cleanup()
    finally:
        await house.close()


async def serve(config: Config, announce: Callable[[Running], None]) -> str | None:
    """Runs a house until SIGTERM or SIGINT (None) or its fail-stop (the reason).

    `announce` is called once it answers. Raises StartRefused.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with running(config) as house:
        house.house.on_stop(lambda reason: ended.set())
        if house.house.stopped is None and not ended.is_set():
            announce(house)
            await ended.wait()
    return house.house.stopped


async def _open(config: Config, directory: Path) -> House:
    settings = HouseSettings(
        segment_bytes=config.data.segment_mb << 20,
        snapshot_every_bytes=config.data.snapshot_every_mb << 20,
        keep_snapshots=config.data.keep_snapshots,
    )
    try:
        return await House.open(directory, settings)
    except FolderLocked as error:
        raise StartRefused(Exit.FOLDER_IN_USE, str(error)) from None
    except (JournalDamage, Halt) as error:
        raise StartRefused(Exit.DAMAGED, str(error)) from None
    except OSError as error:
        raise StartRefused(Exit.DAMAGED, f"{directory}: {error}") from None


async def _listen(runner: web.AppRunner, config: Config, tls: ssl.SSLContext | None) -> str:
    """Lets the runner answer; the URL, with the port that it has got."""
    server = config.server
    site = LimitedSite(runner, server.host, server.port, ssl_context=tls, backlog=BACKLOG,
                       connections_max=config.limits.connections, access_log=_access_log(config))
    try:
        await site.start()
    except OSError as error:
        raise StartRefused(
            Exit.NO_ADDRESS, f"{server.host}:{server.port}: {error.strerror}") from None
    host, port, *_ = runner.addresses[0]
    scheme = "https" if tls is not None else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _tls(config: Config) -> ssl.SSLContext | None:
    if not config.server.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.server.tls_cert, config.server.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise StartRefused(Exit.USAGE, f"[server] tls_cert, tls_key: {error}") from None
    return context


def _access_log(config: Config) -> logging.Logger | None:
    return logging.getLogger("orebook.access") if config.server.access_log else None
