"""The coins of which the pool shows sums and speeds, and in which order."""

BTC, BCH, CNY = "BTC", "BCH", "CNY"


def mined(core, first: tuple[str, ...] = (BTC, BCH)) -> list:
    """The listed coins of these names, in this order, then all others that are mined."""
    named = [core.coins.by_name(name) for name in first]
    numbers = [coin.number for coin in named if coin is not None]
    numbers += [coin for coin in core.networks.coins() if coin not in numbers]
    return [core.coins.get(number) for number in numbers]
