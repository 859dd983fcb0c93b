"""Read the text files that the operator wrote: .env and stack files.

Rule: a file that cannot be read as text is an error with its name and line. No line is dropped.
"""

import codecs
from io import StringIO
from typing import Final

from dotenv.parser import parse_stream

from cli.deploy.stackfile.errors import StackError

_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(content: bytes, file: str) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark (PowerShell's `>`).

    Raises:
        StackError: if the file has another encoding.
    """
    encoding = "utf-16" if content.startswith(_UTF16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise StackError(f"{file} is no UTF-8 (line {line}): save it as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise StackError(f"{file} is no UTF-8 (line {line}): save it as UTF-8")
    return text


def variables(content: bytes, file: str) -> dict[str, str]:
    """Return the variables of a .env file. A name without `=` sets nothing.

    Raises:
        StackError: if the file is no text, or if a line is no variable. The message has no values.
    """
    values: dict[str, str] = {}
    errors: list[str] = []
    for binding in parse_stream(StringIO(decoded(content, file), newline="")):
        if binding.error:
            text = binding.original.string
            blank = len(text) - len(text.lstrip())
            line = binding.original.line + text.count("\n", 0, blank)
            errors.append(f"{file}, line {line}: this is no NAME=VALUE; check the quotes")
        elif binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    if errors:
        raise StackError("\n".join(errors))
    return values
