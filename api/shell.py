"""What every dialect needs to answer: the house and the services around it, once for an app."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import tzinfo

from aiohttp import web

from api import times
from api.auth.client_tokens import ClientTokens
from api.auth.passwords import Passwords
from api.auth.seal import Seal
from api.auth.throttle import OrderRate, Quota, Throttle
from api.config import Config
from api.mail import Mailer
from engine import House

# Of one address: many users may share a line.
ADDRESS_FACTOR = 5


@dataclass(frozen=True, slots=True)
class Shell:
    house: House
    config: Config
    passwords: Passwords
    mailer: Mailer
    client_tokens: ClientTokens     # one for all doors: a nonce is looked at in one place
    user_throttle: Throttle         # failed logins by user name
    address_throttle: Throttle      # and by address
    code_throttle: Throttle         # codes asked for, by address
    registrations: Quota            # users registered without a code, by address
    order_rate: OrderRate
    zone: tzinfo                    # of the times in replies
    secure: bool                    # served over TLS: cookies are Secure
    answers: Counter = field(default_factory=Counter)   # by (dialect, name, outcome)


SHELL: web.AppKey[Shell] = web.AppKey("shell", Shell)


def make_shell(house: House, config: Config) -> Shell:
    """The services as the configuration says; `shell.passwords` is to be closed at the end.

    Raises SealError when the house's key file cannot be used.
    """
    logins = config.limits.logins_per_minute
    return Shell(
        house=house,
        config=config,
        passwords=Passwords(),
        mailer=Mailer(config.mail, config.data.dir),
        client_tokens=ClientTokens(house, Seal.open(config.data.dir)),
        user_throttle=Throttle(logins),
        address_throttle=Throttle(logins * ADDRESS_FACTOR),
        code_throttle=Throttle(logins * ADDRESS_FACTOR),
        registrations=Quota(config.limits.registrations_per_minute),
        order_rate=OrderRate(config.limits.orders_per_second),
        zone=times.zone(config.pool.timezone),
        secure=bool(config.server.tls_cert) or config.server.public_url.startswith("https://"),
    )
