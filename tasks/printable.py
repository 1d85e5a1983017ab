"""Text that must not steer a terminal or a page, nor tell a password. Standard library only."""

import re

# In the text of strangers, such as names of files: control characters (ESC, bell, line ends, ...),
# bidirectional overrides, and Python's stand-ins for broken bytes.
STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s]+@")  # of an address, up to its host


def printable(text: str, but: str = "\n\t") -> str:
    r"""Return text in which each character that steers is seen as its escape, such as \x1b, `but` these."""
    return STEERING.sub(lambda found: found[0] if found[0] in but else ascii(found[0])[1:-1], text)


def in_one_line(text: str) -> str:
    """Return text in which line ends too are seen as their escapes."""
    return printable(text, but="")


def without_passwords(text: str) -> str:
    """Return text in which the password of each address is ***."""
    return PASSWORD.sub(r"\1***@", text)
