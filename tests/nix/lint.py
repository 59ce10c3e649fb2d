"""What a reader of Nix trips over: `problems(path)`.

nixfmt, statix and deadnix say it in the flake's own checks; this says the most of it where they are
not installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tree_sitter_nix
from tree_sitter import Language, Node, Parser

LANGUAGE = Language(tree_sitter_nix.language())


def problems(path: Path) -> list[str]:
    """`line: what is wrong`, for layout and for what nobody uses."""
    source = path.read_bytes()
    root = Parser(LANGUAGE).parse(source).root_node
    found = [*_layout(source.decode(), root), *_unused(root)]
    return [f"{path}:{line + 1}: {what}" for line, what in sorted(found)]


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _layout(text: str, root: Node) -> Iterator[tuple[int, str]]:
    inside_text: set[int] = set()
    for node in _walk(root):
        if node.type == "indented_string_expression":
            inside_text.update(range(node.start_point[0] + 1, node.end_point[0] + 1))
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line != line.rstrip():
            yield number, "blanks at the end of the line"
        if "\t" in line:
            yield number, "a tab"
        if number not in inside_text and (len(line) - len(line.lstrip())) % 2:
            yield number, "indented by an odd number of blanks"
        if number and not line and not lines[number - 1] and number < len(lines) - 1:
            yield number, "two empty lines"
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield len(lines) - 1, "the file does not end with one newline"


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _used(node: Node) -> set[str]:
    """Names that are read somewhere in a piece of Nix."""
    names: set[str] = set()
    for each in _walk(node):
        if each.type == "variable_expression":
            names.add(_text(each))
        elif each.type == "inherit":
            attributes = each.child_by_field_name("attrs")
            if attributes:
                names |= {_text(child) for child in attributes.named_children}
    return names


def _unused(root: Node) -> Iterator[tuple[int, str]]:
    for node in _walk(root):
        if node.type == "let_expression":
            yield from _unused_bindings(node)
        elif node.type == "function_expression":
            yield from _unused_arguments(node)


def _unused_bindings(node: Node) -> Iterator[tuple[int, str]]:
    bindings = next((c for c in node.children if c.type == "binding_set"), None)
    body = node.child_by_field_name("body")
    if bindings is None or body is None:
        return
    used = _used(body)
    for binding in bindings.named_children:
        if (value := binding.child_by_field_name("expression")) is not None:
            used |= _used(value)
    for binding in bindings.named_children:
        names = binding.child_by_field_name("attrpath") or binding.child_by_field_name("attrs")
        if names is None:
            continue
        children = names.named_children
        for name in children[:1] if binding.type == "binding" else children:
            if _text(name) not in used:
                yield name.start_point[0], f"{_text(name)} is bound and not used"


def _unused_arguments(node: Node) -> Iterator[tuple[int, str]]:
    body = node.child_by_field_name("body")
    formals = node.child_by_field_name("formals")
    if body is None or formals is None:
        return
    used = _used(body)
    for formal in formals.named_children:
        if (default := formal.child_by_field_name("default")) is not None:
            used |= _used(default)
    universal = node.child_by_field_name("universal")
    if universal is not None and _text(universal) in used:
        return
    for formal in formals.named_children:
        name = formal.child_by_field_name("name")
        # The grammar sees one without a name after a trailing comma.
        if name is not None and _text(name) not in {"", *used}:
            yield name.start_point[0], f"the argument {_text(name)} is not used"
