"""The exception of a broken invariant."""


class Halt(RuntimeError):
    """The state is not what it must be: the process stops and says why. Never caught to go on."""
