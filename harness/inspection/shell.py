"""Reading shell text: which simple commands it holds. An approximation that errs towards finding fewer."""

from __future__ import annotations

import re
import shlex

SEPARATORS = frozenset((";", "&&", "||", "|", "&", "\n", "(", ")", ";;", "|&"))
TEXT_CAP = 50_000
"""Characters of a script that are read: the reader is slow, and nobody writes longer ones by hand."""
PREFIXES = frozenset((
    "then", "do", "else", "{", "!", "time", "exec", "sudo", "env", "if", "while", "command", "nohup", "set",
))  # fmt: skip
"""Words before a command that leave it the same command."""


def commands(text: str) -> list[list[str]]:
    """The simple commands of a script as lists of words, without prefixes such as `FOO=1`, `exec` or `sudo`."""
    found = []
    for words in simple_commands(text):
        while words and (words[0] in PREFIXES or re.fullmatch(r"[A-Za-z_]\w*=.*", words[0], re.DOTALL)):
            words = words[1:]  # noqa: PLW2901  (the word list is peeled from its front)
        if words:
            found.append(words)
    return found


def simple_commands(text: str) -> list[list[str]]:
    """The simple commands of a script, in order, prefixes kept."""
    joined = re.sub(r"\\\r?\n", " ", text[:TEXT_CAP])
    found: list[list[str]] = [[]]
    for word in _words(joined):
        if word in SEPARATORS:
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words]


def failures_ignored(text: str, pattern: str) -> bool:
    """Whether a command that matches the pattern is followed by `|| true` or the like."""
    return bool(re.search(rf"(?:{pattern})[^\n;&|]*\|\|\s*(?:true|:|exit 0|echo)\b", text))


def _words(text: str) -> list[str]:
    words: list[str] = []
    for line in _logical_lines(text):
        bare = re.sub(r"(^|\s)#[^\n]*", r"\1", line)
        lexer = shlex.shlex(bare, posix=True, punctuation_chars=";&|()")
        lexer.commenters = ""
        lexer.whitespace_split = True
        try:
            words.extend(lexer)
        except ValueError:
            words.extend(re.split(r"\s+", bare.strip()))
        words.append("\n")
    return words


def _logical_lines(text: str) -> list[str]:
    """Lines, with those kept together that an open quotation mark spans."""
    lines: list[str] = []
    for line in text.splitlines():
        if lines and _open_quote(lines[-1]) and lines[-1].count("\n") < 200:
            lines[-1] += f"\n{line}"
        else:
            lines.append(line)
    return lines


def _open_quote(text: str) -> bool:
    quote = ""
    escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
    return bool(quote)
