"""The likely cause of a service that does not start, in plain words. A hint drawn from its output, never a verdict."""

from __future__ import annotations

import re

TAIL_CAP = 20_000
LINE_CAP = 500
CAUSES = (
    (
        r"invalid literal for int\(\) with base 10: '(?:\$\{?PORT[^']*)?'|KeyError: 'PORT'|\$\{?PORT\}?'? is not"
        r"|Invalid value for '--(?:port|bind)'|environment variable PORT|PORT: (?:unbound variable|parameter not set)"
        r"|int\(\) argument must be .*not 'NoneType'|Option '--(?:port|bind)' requires an argument"
        r"|argument (?:-p/)?--port: (?:expected one argument|invalid int value: '')|'' is not a valid port number",
        "$PORT seems to be used without a default, or never expanded. Use ${PORT:-8080} in a shell, or "
        'int(os.environ.get("PORT", 8080)) in Python.',
    ),
    (
        r"[Rr]ead-only file system(?:: ['\"]?(?P<x>[^'\"\n]+))?",
        "It writes to its own file system{of_x}, which is read-only. Write to /tmp, or do without.",
    ),
    (
        r"Temporary failure in name resolution|Name or service not known|Network is unreachable|NameResolutionError"
        r"|Max retries exceeded|getaddrinfo failed|Connection timed out|nodename nor servname",
        "It wants the network at start, and there is none. Put all that it needs into the image.",
    ),
    (
        r"(?:No such file|does not exist|Could not find|FileNotFoundError)[^\n]*(?P<x>/opt/ml/model[^\s'\"]*)"
        r"|(?P<y>/opt/ml/model[^\s'\"]*)[^\n]*(?:No such file|not found|does not exist)"
        r"|Could not find an? \"?MLmodel\"?|No such artifact",
        "It does not find its model. COPY the model folder to /opt/ml/model, and see that git tracks it.",
    ),
    (r"(?:FileNotFoundError|No such file or directory)[^\n]*?'(?P<x>[^'\n]+)'", "It does not find {x} in the image."),
    (
        r"exec: \"?(?P<x>[^\s\":]+)\"?: permission denied",
        "The image starts {x}, which may not be executed. COPY it with --chmod=755.",
    ),
    (
        r"(?:PermissionError|Permission denied)[^\n]*?'(?P<x>[^'\n]+)'|'(?P<y>[^'\n]+)'[^'\n]*Permission denied"
        r"|Permission denied",
        "It may not open{of_x}: it runs as another user than root, without capabilities. Check owner and mode.",
    ),
    (r"No module named '?(?P<x>[\w.]+)'?", "The Python package {x} is not in the image, or not where Python looks."),
    (
        r"(?P<x>lib[\w.+-]+\.so[\w.]*): cannot open shared object file",
        "The library {x} is not in the image: install the system package that holds it.",
    ),
    (
        r"[Ee]xec format error",
        "The program in the image is for another kind of processor, or is a script without a #! line.",
    ),
    (
        r"exec (?P<x>/[\w./-]+): no such file or directory",
        "The image starts {x}, which is not in it, or whose #! line names a program that is not (as where lines end as "
        "on Windows).",
    ),
    (
        r"(?P<x>[\w./-]+): (?:executable file )?not found|exec: \"?(?P<y>[\w./-]+)\"?: (?:executable|no such)",
        "The image starts {x}, which is not in it.",
    ),
    (r"MemoryError|Cannot allocate memory|std::bad_alloc", "It needs more memory than the limit."),
    (r"[Aa]ddress already in use", "Two of its processes want the same port."),
    (
        r"can't start new thread|Resource temporarily unavailable",
        "It starts more processes than the limit.",
    ),
)


def cause(said: str) -> str:
    """One or two sentences, or an empty string if nothing known is in what the service printed."""
    end = _end(said)
    for pattern, sentence in CAUSES:
        if match := re.search(pattern, end):
            groups = match.groupdict()
            what = (groups.get("x") or groups.get("y") or "").strip()
            return sentence.replace("{x}", what).replace("{of_x}", f" {what}" if what else "")
    return ""


def read_only(said: str) -> str | None:
    """The path that a service failed to write to, an empty string if it did not say which, None if there was none."""
    match = re.search(r"[Rr]ead-only file system(?:: ['\"]?([^'\"\n]+))?", _end(said))
    return (match[1] or "").strip() if match else None


def _end(said: str) -> str:
    """The last lines, none of them long: output may be made to keep a search busy."""
    return "\n".join(line[:LINE_CAP] for line in said[-TAIL_CAP:].splitlines())
