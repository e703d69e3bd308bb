"""The one error a user sees: a line that names the thing, what was expected, what was found and what to do."""

import re
from typing import Any


class InputError(ValueError):
    """Input from outside that cannot be used. The command line prints it as one line and exits with 2.

    Args:
        thing: what is wrong, by the name the user knows it by: a path, an option, a frame.
        expected: what would have been right.
        got: what was found.
        do: what the user can do about it.

    >>> str(InputError("room/K.txt", expected="a 3x3 matrix", got="2 rows", do="write fx 0 cx; 0 fy cy; 0 0 1"))
    'room/K.txt: expected a 3x3 matrix, got 2 rows; write fx 0 cx; 0 fy cy; 0 0 1'
    """

    def __init__(self, thing: object, *, expected: str, got: object, do: str = "") -> None:
        self.thing, self.expected, self.got, self.do = str(thing), expected, str(got), do
        text = f"{thing}: expected {expected}, got {got}" + (f"; {do}" if do else "")
        # One line whatever the names hold: a path may contain a newline, an exception text may be a page.
        text = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
        super().__init__(text if len(text) <= 1000 else text[:997] + "...")

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled by their positional arguments; one from a worker process would come back as a TypeError.
        return _again, (type(self), self.thing, self.expected, self.got, self.do)


def install_extra(name: str) -> str:
    """What to do where a package is missing that only a part of the product needs: its extra, installed as the README installs all.

    >>> install_extra("sim")
    "pip install '.[sim]' in the checkout"
    """
    return f"pip install '.[{name}]' in the checkout"


def _again(kind: type[InputError], thing: str, expected: str, got: str, do: str) -> InputError:
    return kind(thing, expected=expected, got=got, do=do)
