"""Deserializing what a client sends: unpickling runs code, so a path or body that a client chooses is an open door.

Values are followed from the parameters of functions that answer routes, through assignments, `with` and calls of the
submission's own functions and classes, parameter by parameter. Parameters that the framework fills in (`Depends`,
`request.app`, `request.state`) are not the client's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.inspection.checkout import Checkout
from harness.inspection.python import Function, dotted, last_name, parse

ROUTES = frozenset(("get", "post", "put", "patch", "delete", "route", "api_route", "websocket"))
UNSAFE = re.compile(
    r"(?:pickle|cPickle|cloudpickle|dill|joblib|marshal)\.loads?|torch\.load|(?:pd|pandas)\.read_pickle"
    r"|(?:mlflow(?:\.\w+)*|keras(?:\.\w+)*|tf\.keras\.models)\.load_model|yaml\.(?:unsafe_load|full_load)|eval|exec"
)
SAFE = re.compile(r"(?:json|orjson|ujson|tomllib|csv|np|numpy)\.\w+")
"""Calls of libraries that are not taken for the submission's own of the same name."""
SERVERS_OWN = re.compile(r"\w+\.(?:app|state|scope|url|client|method|headers)\b")
ROUNDS = 4
Loaders = dict[str, set[tuple[int, str]]]
"""Functions and classes of the submission's own that unpickle what they are given: the place and the name of each such
parameter, by the function's name. Where several have one name, any of them may be meant."""


@dataclass(frozen=True)
class _Source:
    """Everything that is defined in one file."""

    name: str
    functions: list[Function]
    classes: list[ast.ClassDef]


def unsafe_loads(checkout: Checkout) -> Iterator[str]:
    """Where a value that a client chooses is unpickled or evaluated."""
    sources = [_source(name, tree) for name in checkout.own if name.endswith(".py") and (tree := _tree(checkout, name))]
    loaders: Loaders = {}
    for _ in range(ROUNDS):
        found = _loaders(sources, loaders)
        if found == loaders:
            break
        loaders = found
    for source in sources:
        for function in source.functions:
            if any(_is_route(decorator) for decorator in function.decorator_list):
                for call in _loads(function, set(_parameters(function)), loaders):
                    yield f"{source.name}, line {call.lineno}: `{ast.unparse(call.func)}` gets what a client sent"


def _tree(checkout: Checkout, name: str) -> ast.Module | None:
    return parse(checkout.text(name))


def _source(name: str, tree: ast.Module) -> _Source:
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, Function)]
    return _Source(name, functions, [node for node in nodes if isinstance(node, ast.ClassDef)])


def _loaders(sources: list[_Source], known: Loaders) -> Loaders:
    """What unpickles one of its own parameters, directly or by calling what is known to."""
    found: Loaders = {}
    for source in sources:
        for function in source.functions:
            places = set(enumerate(_parameters(function)))
            found.setdefault(function.name, set()).update(
                place for place in places if any(_loads(function, {place[1]}, known))
            )
        for cls in source.classes:
            found.setdefault(cls.name, set()).update(_unpickling(cls, known))
    return {name: places for name, places in found.items() if places}


def _unpickling(cls: ast.ClassDef, known: Loaders) -> Iterator[tuple[int, str]]:
    """The parameters of a class's `__init__` that it, or any method later on, unpickles."""
    methods = [node for node in cls.body if isinstance(node, Function)]
    for made_by in (method for method in methods if method.name == "__init__"):
        for order, name in enumerate(_parameters(made_by)):
            tainted = {name} | {
                dotted(target)
                for node in ast.walk(made_by)
                if isinstance(node, ast.Assign) and _carries(node.value, {name})
                for target in node.targets
                if isinstance(target, ast.Attribute)
            }
            if any(any(_loads(method, tainted, known)) for method in methods):
                yield order, name


def _parameters(function: Function) -> list[str]:
    """The parameters that a caller gives, in order."""
    arguments = function.args
    defaults = [*[None] * (len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)), *arguments.defaults]
    pairs = [*zip([*arguments.posonlyargs, *arguments.args], defaults, strict=True)]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    named = [a.arg for a, default in pairs if not _is_dependency(default) and not _is_dependency(a.annotation)]
    return [name for name in named if name not in ("self", "cls")]


def _is_dependency(node: ast.AST | None) -> bool:
    return node is not None and any(last_name(n) == "Depends" for n in ast.walk(node))


def _is_route(decorator: ast.AST) -> bool:
    function = decorator.func if isinstance(decorator, ast.Call) else None
    return isinstance(function, ast.Attribute) and function.attr in ROUTES


def _loads(function: Function, tainted: set[str], loaders: Loaders) -> Iterator[ast.Call]:
    """Calls in a function that unpickle something made of the tainted names, or of the request."""
    nodes = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    calls = [(node, given) for node in nodes if (given := _unpickled(node, loaders))]
    if not calls:
        return
    tainted = set(tainted)
    from_request = {"request"} & {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    if "request" not in _parameters(function) or "request" in tainted:
        tainted |= from_request
    for _ in range(ROUNDS):
        for node in ast.walk(function):
            tainted |= {name.id for name in _made_of(node, tainted)}
    for call, given in calls:
        if any(_carries(value, tainted) for value in given):
            yield call


def _made_of(node: ast.AST, tainted: set[str]) -> Iterator[ast.Name]:
    """The names that a statement gives a value made of tainted ones."""
    pairs: list[tuple[ast.AST | None, ast.AST | None]] = []
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        pairs = [(node.target, node.value)]
    elif isinstance(node, ast.With | ast.AsyncWith):
        pairs = [(item.optional_vars, item.context_expr) for item in node.items]
    for target, value in pairs:
        if isinstance(target, ast.Name) and value is not None and _carries(value, tainted):
            yield target


def _unpickled(call: ast.Call, loaders: Loaders) -> list[ast.expr]:
    """The arguments of a call that end up unpickled."""
    if UNSAFE.fullmatch(name := dotted(call.func)):
        return [*call.args, *(keyword.value for keyword in call.keywords)]
    places = set() if SAFE.fullmatch(name) else loaders.get(name.rpartition(".")[2], set())
    orders, names = {order for order, _ in places}, {parameter for _, parameter in places}
    given = [value for order, value in enumerate(call.args) if order in orders or isinstance(value, ast.Starred)]
    return [*given, *(keyword.value for keyword in call.keywords if keyword.arg in names or keyword.arg is None)]


def _carries(value: ast.AST, tainted: set[str]) -> bool:
    """Whether an expression holds a tainted name other than by way of what is the server's own."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Attribute) and dotted(node) in tainted:
            return True
        if isinstance(node, ast.Attribute) and SERVERS_OWN.match(dotted(node)):
            continue
        if isinstance(node, ast.Name) and node.id in tainted:
            return True
        waiting.extend(ast.iter_child_nodes(node))
    return False
