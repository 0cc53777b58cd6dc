"""Which version this is."""

from importlib import metadata


def version() -> str:
    """The distribution's version, or `unknown` in a checkout that was never installed."""
    try:
        return metadata.version("orebook")
    except metadata.PackageNotFoundError:
        return "unknown"
