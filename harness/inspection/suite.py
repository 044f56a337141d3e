"""What a submission's tests would notice, judged from their source.

A test counts only if it, or something of the tests that it uses, mentions predictions, asserts something beyond a
status, and has put no stand-in where the model is. One such test is enough: the rest of a suite may stub what it likes.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from harness.inspection.checkout import Checkout
from harness.inspection.python import Function, last_name, parse, words

OTHER_LANGUAGES = (
    "*_test.go", "*.test.[jt]s", "*.spec.[jt]s", "*.test.tsx", "*Test.java", "*Test.kt", "*Tests.cs", "*.bats",
    "*.hurl", "tests/*.rs", "tests/*.sh", "test/*.sh",
)  # fmt: skip
PREDICTS = re.compile(r"invocation|predict|scor|infer", re.IGNORECASE)
MODEL = re.compile(r"_?(?:predict\w*|(?:get_|load_)model\w*|model|predictor|pyfunc\w*|score|inference|run_inference)")
"""Names whose replacement takes the model out of the test."""
STAND_IN = re.compile(r"(?:Magic|Async)?Mock|(?:Fake|Stub|Dummy|Mock)\w*|_?(?:fake|stub|dummy|mock)\w*")
STATUS = frozenset(("status_code", "status", "ok", "is_success"))
"""What a reply says of itself whatever is in it."""
PATCHES = frozenset(("setattr", "patch", "object", "setitem"))


@dataclass(frozen=True)
class Suite:
    """A submission's tests."""

    files: tuple[str, ...]
    """Files that hold at least one test."""
    stubbed: str
    """Why these tests would pass whatever the model answered, or an empty string."""


def read(checkout: Checkout) -> Suite:
    """Find the tests and judge them."""
    modules = {}
    for name in checkout.own:
        if name.endswith(".py") and _is_test_code(name) and (tree := parse(checkout.text(name))):
            modules[name] = tree
    tests = {name: list(_tests(tree)) for name, tree in modules.items() if _is_test_file(name)}
    python = tuple(name for name, found in tests.items() if found)
    others = checkout.matching(*OTHER_LANGUAGES, *(f"*/{glob}" for glob in OTHER_LANGUAGES))
    if not python and not others:
        return Suite((), "there are no tests")
    verdicts = {v for name in python for v in _verdicts(tests[name], name, modules)}
    verdicts |= {"real" for name in others if PREDICTS.search(checkout.text(name))}
    return Suite((*python, *others), _explain(verdicts))


def _explain(verdicts: set[str]) -> str:
    if "real" in verdicts:
        return ""
    if "stubbed" in verdicts:
        return "every test of predictions replaces the model or `predict` by a stand-in"
    if "asserts nothing" in verdicts:
        return "no test of predictions asserts anything beyond a status"
    return "no test asks for a prediction"


def _is_test_file(name: str) -> bool:
    return bool(re.fullmatch(r"test_.*\.py|.*_test\.py|tests?\.py", PurePosixPath(name).name))


def _is_test_code(name: str) -> bool:
    path = PurePosixPath(name)
    folders = {"tests", "test", "testing"}
    return _is_test_file(name) or path.name == "conftest.py" or not folders.isdisjoint(path.parts[:-1])


def _tests(tree: ast.Module) -> Iterator[tuple[ast.AST, ...]]:
    """Each test function; one in a class with everything of the class that is no test."""
    for node in tree.body:
        if isinstance(node, Function) and node.name.startswith("test"):
            yield (node,)
        elif isinstance(node, ast.ClassDef):
            inner = [n for n in node.body if isinstance(n, Function) and n.name.startswith("test")]
            shared = [n for n in node.body if n not in inner]
            for test in inner:
                yield (test, *shared, *node.decorator_list)


def _verdicts(tests: Iterable[tuple[ast.AST, ...]], name: str, modules: dict[str, ast.Module]) -> Iterator[str]:
    """For each test of a file: `real`, `stubbed`, `asserts nothing` or `elsewhere` (not about predictions)."""
    # What a test can use by name: its own file first, then fixtures and functions of the other test files.
    own = _definitions(modules[name])
    shared: dict[str, list[ast.AST]] = defaultdict(list)
    for other, tree in modules.items():
        if other != name:
            for defined, nodes in _definitions(tree).items():
                shared[defined].extend(nodes)
    fixtures = [n for m, t in modules.items() if m == name or _governs(m, name) for n in t.body if _is_automatic(n)]
    for test in tests:
        used = _closure([*test, *fixtures], own, shared)
        mentioned = {word for node in used for word in words(node)}
        if not any(PREDICTS.search(word) for word in mentioned):
            yield "elsewhere"
        elif any(_stubs(node) for node in used):
            yield "stubbed"
        else:
            # What a fixture asserts, for one that the service got ready, says nothing of predictions.
            own_code = _closure(test, own, shared, fixtures=False)
            yield "real" if any(_asserts(node) for node in own_code) else "asserts nothing"


def _definitions(tree: ast.Module) -> dict[str, list[ast.AST]]:
    found: dict[str, list[ast.AST]] = defaultdict(list)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name].append(node)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                found[last_name(target)].append(node)
        elif isinstance(node, ast.AnnAssign):
            found[last_name(node.target)].append(node)
    found.pop("", None)
    return found


def _closure(
    start: Iterable[ast.AST], own: dict[str, list[ast.AST]], shared: dict[str, list[ast.AST]], *, fixtures: bool = True
) -> list[ast.AST]:
    """Those pieces of code and all that they use by name, directly or not; fixtures, and what only they use, or not."""
    reached = {id(node): node for node in start}
    waiting = list(start)
    while waiting:
        for word in set(words(waiting.pop())):
            for node in own.get(word) or shared.get(word, []):
                if id(node) not in reached and (fixtures or not _is_fixture(node)):
                    reached[id(node)] = node
                    waiting.append(node)
    return list(reached.values())


def _governs(conftest: str, name: str) -> bool:
    path = PurePosixPath(conftest)
    return path.name == "conftest.py" and path.parent in PurePosixPath(name).parents


def _is_fixture(node: ast.AST) -> bool:
    return isinstance(node, Function) and any(
        last_name(d.func if isinstance(d, ast.Call) else d) == "fixture" for d in node.decorator_list
    )


def _is_automatic(node: ast.AST) -> bool:
    """Whether a node is a fixture that every test gets, asked for or not."""
    return isinstance(node, Function) and any(
        isinstance(d, ast.Call)
        and last_name(d.func) == "fixture"
        and any(k.arg == "autouse" and isinstance(k.value, ast.Constant) and k.value.value is True for k in d.keywords)
        for d in node.decorator_list
    )


def _stubs(node: ast.AST) -> bool:
    """Whether code puts a stand-in where the model is."""
    for inner in ast.walk(node):
        match inner:
            case ast.Call(func=function, args=arguments) if last_name(function) in PATCHES:
                targets = [a.value for a in arguments[:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                if any(MODEL.fullmatch(target.rpartition(".")[2]) for target in targets):
                    return True
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value) if MODEL.fullmatch(name):
                if isinstance(value, ast.Lambda) or STAND_IN.fullmatch(_called(value)):
                    return True
            case ast.Assign(targets=[ast.Subscript(value=ast.Attribute(attr="dependency_overrides"))]):
                return True
            case ast.Call(keywords=keywords) if any(
                MODEL.fullmatch(k.arg or "") and STAND_IN.fullmatch(_called(k.value)) for k in keywords
            ):
                return True
    return False


def _called(value: ast.AST) -> str:
    return last_name(value.func) if isinstance(value, ast.Call) else last_name(value)


def _asserts(node: ast.AST) -> bool:
    """Whether code asserts anything that could be false while every answer is a 200."""
    for inner in ast.walk(node):
        match inner:
            case ast.Assert(test=test) if not isinstance(test, ast.Constant) and not _of_status(test):
                return True
            case ast.Call(func=function, args=given) if re.match(r"assert|raises|fail$", last_name(function)):
                if not any(last_name(argument) in STATUS for argument in given):
                    return True
    return False


def _of_status(test: ast.expr) -> bool:
    """Whether an assertion looks at nothing but a status."""
    match test:
        case ast.BoolOp(values=values):
            return all(_of_status(value) for value in values)
        case ast.Compare(left=left, comparators=others):
            return any(last_name(side) in STATUS for side in (left, *others))
    return last_name(test) in STATUS
