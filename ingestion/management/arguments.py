"""Types of arguments that several commands take."""

from argparse import ArgumentTypeError


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError("serve un numero intero maggiore di 0")
    return int(text)
