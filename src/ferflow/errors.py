"""The one exception that is meant for people."""


class FerflowError(Exception):
    """An error the user can act on: what is wrong, where, and what to do, in one line.

    Stages print its message and exit with status 1; they show no traceback for it.
    """
