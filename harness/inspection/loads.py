"""Deserializing what a client sends: unpickling runs code, so a path or body that a client chooses is an open door.

Values are followed from the parameters of functions that answer routes, through assignments and through calls of the
submission's own functions. Parameters that the framework fills in (`Depends`, `request.app`, `request.state`) are not
the client's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from harness.inspection.checkout import Checkout
from harness.inspection.python import Function, dotted, last_name, parse

ROUTES = frozenset(("get", "post", "put", "patch", "delete", "route", "api_route", "websocket"))
UNSAFE = re.compile(
    r"(?:pickle|cPickle|cloudpickle|dill|joblib|marshal)\.loads?|torch\.load|(?:pd|pandas)\.read_pickle"
    r"|(?:mlflow(?:\.\w+)*|keras(?:\.\w+)*|tf\.keras\.models)\.load_model|yaml\.(?:unsafe_load|full_load)|eval|exec"
)
SERVERS_OWN = re.compile(r"\w+\.(?:app|state|scope|url|client|method|headers)\b")
ROUNDS = 4


def unsafe_loads(checkout: Checkout) -> Iterator[str]:
    """Where a value that a client chooses is unpickled or evaluated."""
    functions = [
        (name, node)
        for name in checkout.own
        if name.endswith(".py") and (tree := parse(checkout.text(name))) is not None
        for node in ast.walk(tree)
        if isinstance(node, Function)
    ]
    # Functions that unpickle one of their own parameters, directly or by calling another such function.
    loaders: set[str] = set()
    for _ in range(ROUNDS):
        found = {f.name for _, f in functions if any(_loads(f, _parameters(f), loaders))}
        if found <= loaders:
            break
        loaders |= found
    for name, function in functions:
        if any(_is_route(decorator) for decorator in function.decorator_list):
            for call in _loads(function, _parameters(function), loaders):
                yield f"{name}, line {call.lineno}: `{ast.unparse(call.func)}` gets what a client sent"


def _parameters(function: Function) -> set[str]:
    arguments = function.args
    defaults = [*[None] * (len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)), *arguments.defaults]
    pairs = [*zip([*arguments.posonlyargs, *arguments.args], defaults, strict=True)]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    named = {a.arg for a, default in pairs if not _is_dependency(default) and not _is_dependency(a.annotation)}
    return named - {"self", "cls"}


def _is_dependency(node: ast.AST | None) -> bool:
    return node is not None and any(last_name(n) == "Depends" for n in ast.walk(node))


def _is_route(decorator: ast.AST) -> bool:
    function = decorator.func if isinstance(decorator, ast.Call) else None
    return isinstance(function, ast.Attribute) and function.attr in ROUTES


def _loads(function: Function, tainted: set[str], loaders: set[str]) -> Iterator[ast.Call]:
    """Calls in a function that unpickle something made of the tainted names."""
    tainted = set(tainted)
    from_request = {"request"} & {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    for _ in range(ROUNDS):
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and _carries(node.value, tainted | from_request):
                tainted |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if (UNSAFE.fullmatch(name) or name.rpartition(".")[2] in loaders) and any(
                _carries(value, tainted | from_request) for value in given
            ):
                yield node


def _carries(value: ast.AST, tainted: set[str]) -> bool:
    """Whether an expression holds a tainted name other than by way of what is the server's own."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Attribute) and SERVERS_OWN.match(dotted(node)):
            continue
        if isinstance(node, ast.Name) and node.id in tainted:
            return True
        waiting.extend(ast.iter_child_nodes(node))
    return False
