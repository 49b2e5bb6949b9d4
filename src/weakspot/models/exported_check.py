"""Checks that a `.pt2` archive holds tensors and aten operators only, before torch.export.load is let near it.

That function executes pickles (weights, constants, example inputs), evaluates symbolic sizes and guards as Python,
resolves operators anywhere below `torch`, and writes names into generated code. Whatever is not listed here is refused.
"""

import ast
import json
import re
from io import BytesIO
from typing import Any

import torch

from weakspot.errors import InputError
from weakspot.models import checkpoints

RECORDS = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/(version|serialization_id)|extra/[\w./-]+"
    r"|models/\w+\.json|data/sample_inputs/\w+\.pt"
    r"|data/(weights/weight_\d+|constants/tensor_\d+)|data/(weights|constants)/\w+_config\.json"
)
OPERATORS = re.compile(
    r"torch\.ops\.aten\.(?!(save|from_file|_print)\.)\w+\.\w+|torch\.sym_\w+"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_)"
)
WORDS = re.compile(r"[\w.,:>+\- ]*")
"""Names, versions and string arguments (such as einsum's): nothing that could call anything in generated code."""
FUNCTIONS = frozenset(
    (
        "Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Max", "Min", "Abs", "Mod", "PythonMod",
        "FloorDiv", "CeilDiv", "CleanDiv", "IntTrueDiv", "FloatTrueDiv", "PowByNatural", "ModularIndexing",
        "FloorToInt", "CeilToInt", "TruncToInt", "ToFloat", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not",
    )
)  # fmt: skip
NODES = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Subscript, ast.Call, ast.keyword, ast.Attribute, ast.BinOp,
    ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


def check_archive(content: bytes) -> None:
    """Pass an archive that torch.export.load reads without executing anything of it.

    Raises:
        InputError: it is damaged, or holds anything else; the message names the first such thing.

    """
    try:
        # torch's own reader: another one might see other records in a file made to be read in two ways.
        reader = torch._C.PyTorchFileReader(BytesIO(content))
        records = reader.get_all_records()
    except (RuntimeError, ValueError) as error:
        raise InputError("it is no archive of torch.export, it may be cut short") from error
    if odd := [name for name in records if not RECORDS.fullmatch(name)]:
        raise InputError(f"it holds {odd[0][:80]!r}, which is neither a tensor nor a graph")
    if len(set(records)) != len(records) or sum(name.startswith("models/") for name in records) != 1:
        raise InputError("it must hold each record once and one model")
    for name in records:
        if name.endswith(".pt"):
            checkpoints.tensors_only(reader.get_record(name))
        elif name.endswith(".json") and not name.startswith("extra/"):
            _check_json(_parse(reader.get_record(name), name))


def _parse(content: bytes | str, what: str) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise InputError(f"its {what} is no JSON") from error


def _check_json(value: Any, key: str = "") -> None:
    """Check `value`, which stands under `key`, and everything inside it."""
    if key == "metadata":  # traces and module names: looked up at most, never called
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name, "name")
            _check_json(inner, name)
    elif isinstance(value, list):
        for inner in value:
            _check_json(inner, key)
    elif key == "use_pickle" and value:
        raise InputError("it holds a pickle")
    elif isinstance(value, str):
        _check_text(value, key)


def _check_text(text: str, key: str) -> None:
    if key == "target":
        if not OPERATORS.fullmatch(text):
            raise InputError(f"its graph calls {text[:80]!r}, which is no operator of aten")
    elif key in ("expr_str", "guards_code"):
        _check_expression(text)
    elif key in ("in_spec", "out_spec"):
        _check_tree(_parse(text, key))
    elif not WORDS.fullmatch(text):
        raise InputError(f"its {key or 'graph'} holds {text[:80]!r}, which is no plain name")


def _check_expression(text: str) -> None:
    """Arithmetic and comparisons of sizes, as Python's own parser sees them."""
    refused = InputError(f"it evaluates {text[:80]!r}, which is no plain arithmetic of sizes")
    try:
        nodes = [*ast.walk(ast.parse(text, mode="eval"))]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise refused from error
    called = {node.func for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        fits = isinstance(node, NODES)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            fits = bool(re.fullmatch(r"\w{1,64}", node.value))  # sympy evaluates strings once more
        elif isinstance(node, ast.Attribute):
            fits = node in called and node.attr in ("size", "stride", "storage_offset")
        elif isinstance(node, ast.Name) and node in called:
            fits = node.id in FUNCTIONS
        elif isinstance(node, ast.Call):
            fits = isinstance(node.func, ast.Name | ast.Attribute)
        if not fits:
            raise refused


def _check_tree(spec: Any) -> None:
    """Tuples, lists and dictionaries only: other kinds of containers name modules to import."""
    if isinstance(spec, list):
        for inner in spec:
            _check_tree(inner)
    elif isinstance(spec, dict):
        context = _parse(spec.get("context") or "null", "context")
        plain = context is None or (isinstance(context, list) and all(isinstance(name, str) for name in context))
        if spec.get("type") not in (None, "builtins.tuple", "builtins.list", "builtins.dict") or not plain:
            raise InputError(f"its inputs or outputs are a {str(spec.get('type'))[:80]!r}, not tensors")
        _check_tree(spec.get("children_spec", []))
