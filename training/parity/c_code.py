"""A fitted model as portable C99: the numbers of its formula as they are, to the last bit, and the few lines that use them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.package import Accepts, ColumnType
from training.parity.encoders import Category, Number
from training.parity.formula import Ensemble, Linear

_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Exported:
    """What is written.

    Attributes:
        name: what every public name begins with; a C identifier.
        about: lines that say where the model comes from.
        columns: the inputs and their types. classes: labels, empty for regression.
        accepts: the numbers of the matrix that the model takes.
    """

    name: str
    about: tuple[str, ...]
    columns: dict[str, ColumnType]
    classes: tuple[object, ...]
    encoders: tuple[Number | Category, ...]
    formula: Ensemble | Linear
    accepts: Accepts

    @property
    def answers(self) -> int:
        """How many numbers an answer has."""
        return len(self.formula.start)

    @property
    def texts(self) -> bool:
        """Whether some category is text."""
        return any(isinstance(one, Category) and self.kind(one) == "str" for one in self.encoders)

    @property
    def numbers(self) -> bool:
        """Whether some category is a number."""
        return any(isinstance(one, Category) and self.kind(one) != "str" for one in self.encoders)

    def kind(self, one: Number | Category) -> ColumnType:
        """Return the type of an encoder's column."""
        return list(self.columns.values())[one.column]


def write_c(model: Exported) -> dict[str, str]:
    """Return the header and the source by file name."""
    return {f"{model.name}.h": _header(model), f"{model.name}.c": _source(model)}


def _header(model: Exported) -> str:
    name, big = model.name, model.name.upper()
    inputs = [f"{place}: {column} ({_meaning(model, place, kind)})" for place, (column, kind) in enumerate(model.columns.items())]
    parts = [_comment([*model.about, "", "Inputs, in this order:", *inputs])]
    parts += [f"#ifndef {big}_H\n#define {big}_H\n"]
    parts += [f"#define {big}_COLUMNS {len(model.columns)}", f"#define {big}_ENCODED {model.formula.features}"]
    parts += [f"#define {big}_ANSWERS {model.answers}", f"#define {big}_UNSEEN (-1)", f"#define {big}_MISSING (-2)", ""]
    parts += [f"extern const char *const {name}_columns[{big}_COLUMNS];\n"]
    if model.classes:
        parts += [f"extern const char *const {name}_classes[{len(model.classes)}];\n"]
    if model.texts:
        parts += ["/* The code of a category; NULL is missing. */", f"int {name}_code(int column, const char *value);\n"]
    if model.numbers:
        parts += [
            "/* The same of a number; NAN is missing. */",
            f"int {name}_code_of_number(int column, double value);\n",
        ]
    parts += [
        "/* Answers one row; 0 when done. 1: a number is not one that the model takes, and the answers are NAN. */",
        f"int {name}_predict(const double inputs[{big}_COLUMNS], double answers[{big}_ANSWERS]);\n",
        "/* The same from the encoder's matrix. */",
        f"int {name}_predict_encoded(const double matrix[{big}_ENCODED], double answers[{big}_ANSWERS]);\n",
    ]
    if model.classes:
        parts += [
            f"/* The place of the likeliest class in {name}_classes. */",
            f"int {name}_class(const double answers[{big}_ANSWERS]);\n",
        ]
    return "\n".join([*parts, "#endif\n"])


def _meaning(model: Exported, place: int, kind: ColumnType) -> str:
    if not any(isinstance(one, Category) and one.column == place for one in model.encoders):
        return "a number; NAN is missing"
    return f"the code of a category, by {model.name}_code{'' if kind == 'str' else '_of_number'}"


def _source(model: Exported) -> str:
    texts = "#include <stddef.h>\n#include <string.h>\n" if model.texts else ""
    head = f'{_comment(model.about)}\n#include "{model.name}.h"\n\n#include <math.h>\n#include <stdint.h>\n{texts}'
    parts = [head, _texts(f"const char *const {model.name}_columns", list(model.columns))]
    if model.classes:
        parts.append(_texts(f"const char *const {model.name}_classes", [str(one) for one in model.classes]))
    parts += [*_codes(model), _encode(model)]
    parts += [_ensemble(model, model.formula) if isinstance(model.formula, Ensemble) else _linear(model.formula)]
    parts += [_predict(model)]
    return "\n".join(parts)


def _codes(model: Exported) -> Iterable[str]:
    """Yield the tables of categories, and the functions that look into them."""
    known = [(one, model.kind(one) == "str") for one in model.encoders if isinstance(one, Category)]
    for text in (True, False):
        these = [one for one, is_text in known if is_text is text]
        if not these:
            continue
        for one in these:
            values = list(one.values)
            if text:
                yield _texts(f"static const char *const known_{one.column}", [str(value) for value in values] or [""])
            else:
                yield _numbers(f"static const double known_{one.column}", [float(value) for value in values] or [0.0])
        kind, what, same = (
            ("const char *value", "", "strcmp(table[at], value) == 0") if text else ("double value", "_of_number", "table[at] == value")
        )
        item, missing = ("const char *const *", "value == NULL") if text else ("const double *", "isnan(value)")
        cases = "".join(f"    case {one.column}: table = known_{one.column}; count = {len(one.values)}; break;\n" for one in these)
        yield (
            f"int {model.name}_code{what}(int column, {kind})\n{{\n    {item}table;\n    int count, at;\n\n    switch (column) {{\n{cases}"
            f"    default: return {model.name.upper()}_UNSEEN;\n    }}\n    if ({missing})\n        return {model.name.upper()}_MISSING;\n"
            f"    for (at = 0; at < count; at++)\n        if ({same})\n            return at;\n"
            f"    return {model.name.upper()}_UNSEEN;\n}}\n"
        )


def _encode(model: Exported) -> str:
    """Return the function that makes the matrix; a code that is NAN is a missing category."""
    lines, place = [], 0
    for one in model.encoders:
        given = f"inputs[{one.column}]"
        if isinstance(one, Number):
            plain = one.mean is None or one.scale is None
            lines.append(f"matrix[{place}] = {given if plain else f'({given} - {_c(one.mean)}) / {_c(one.scale)}'};")
        elif one.one_hot:
            lines += [f"matrix[{place + at}] = {given} == {at}.0;" for at in range(len(one.values))]
            if one.missing:
                lines.append(f"matrix[{place + len(one.values)}] = isnan({given}) || {given} == -2.0;")
        else:
            lines.append(f"matrix[{place}] = isnan({given}) || {given} == -2.0 ? {_c(one.absent)}")
            lines.append(f"    : {given} >= 0.0 && {given} < {len(one.values)}.0 ? {given} : {_c(one.unseen)};")
        place += one.width
    body = "\n".join(f"    {line}" for line in lines)
    return f"static void encode(const double *inputs, double *matrix)\n{{\n{body}\n}}\n"


def _ensemble(model: Exported, formula: Ensemble) -> str:
    first = np.cumsum([0, *(len(tree.left) for tree in formula.trees)])
    inside = [tree.left >= 0 for tree in formula.trees]

    def joined(parts: Iterable[np.ndarray]) -> list[float]:
        return [one for part in parts for one in part.tolist()]

    def below(side: str) -> list[float]:
        return joined(np.where(here, getattr(tree, side) + at, -1) for tree, here, at in zip(formula.trees, inside, first, strict=False))

    pairs = list(zip(formula.trees, inside, strict=True))
    tables = [
        _whole("static const int32_t feature", joined(np.where(here, tree.feature, 0) for tree, here in pairs)),
        _numbers("static const double threshold", joined(np.where(here, tree.threshold, 0.0) for tree, here in pairs)),
        _whole("static const int32_t left", below("left")),
        _whole("static const int32_t right", below("right")),
        _whole("static const unsigned char missing_left", joined(tree.missing_left.astype(int) for tree in formula.trees)),
        _numbers("static const double value", joined(np.where(here, 0.0, tree.value) for tree, here in pairs)),
        _whole("static const int32_t root", first[:-1].tolist()),
        _whole("static const int32_t target", [tree.target for tree in formula.trees]),
        _numbers("static const double start", formula.start.tolist()),
    ]
    seen = "(double)(float)matrix[at]" if formula.single else "matrix[at]"
    return "\n".join(tables) + (
        "\nstatic double walk(int32_t node, const double *seen)\n{\n"
        "    while (left[node] >= 0) {\n        double x = seen[feature[node]];\n\n"
        "        node = (isnan(x) ? missing_left[node] : x <= threshold[node]) ? left[node] : right[node];\n    }\n"
        "    return value[node];\n}\n\n"
        "static void formula(const double *matrix, double *sum)\n{\n"
        f"    double seen[{formula.features}];\n    int at;\n\n"
        f"    for (at = 0; at < {formula.features}; at++)\n        seen[at] = {seen};\n"
        f"    for (at = 0; at < {model.answers}; at++)\n        sum[at] = start[at];\n"
        f"    for (at = 0; at < {len(formula.trees)}; at++)\n        sum[target[at]] += walk(root[at], seen);\n"
        f"    for (at = 0; at < {model.answers}; at++)\n        sum[at] /= {formula.count}.0;\n}}\n"
    )


def _linear(formula: Linear) -> str:
    features, targets = formula.weights.shape
    return (
        _numbers("static const double weight", formula.weights.T.ravel().tolist())
        + "\n"
        + _numbers("static const double start", formula.start.tolist())
        + "\nstatic void formula(const double *matrix, double *sum)\n{\n    int at, of;\n\n"
        f"    for (of = 0; of < {targets}; of++) {{\n        sum[of] = 0.0;\n        for (at = 0; at < {features}; at++)\n"
        f"            sum[of] += weight[of * {features} + at] * matrix[at];\n        sum[of] += start[of];\n    }}\n}}\n"
    )


def _predict(model: Exported) -> str:
    name, big = model.name, model.name.upper()
    accepts = model.accepts
    refused = [] if accepts.missing else ["isnan(matrix[at])"]
    refused += [] if accepts.largest is None else [f"fabs(matrix[at]) > {_c(accepts.largest)}"]
    check = (
        f"    for (at = 0; at < {big}_ENCODED; at++)\n        if ({' || '.join(refused)}) {{\n"
        f"            for (at = 0; at < {big}_ANSWERS; at++)\n                answers[at] = NAN;\n            return 1;\n        }}\n"
    )
    link = _LINKS[model.formula.link].replace("ANSWERS", f"{big}_ANSWERS")
    counts = "    int at;\n" if refused or model.formula.link == "softmax" else ""
    found = (
        f"int {name}_predict_encoded(const double matrix[{big}_ENCODED], double answers[{big}_ANSWERS])\n{{\n{counts}"
        f"{_more(model)}\n{check if refused else ''}    formula(matrix, answers);\n{link}    return 0;\n}}\n\n"
        f"int {name}_predict(const double inputs[{big}_COLUMNS], double answers[{big}_ANSWERS])\n{{\n    double matrix[{big}_ENCODED];\n\n"
        f"    encode(inputs, matrix);\n    return {name}_predict_encoded(matrix, answers);\n}}\n"
    )
    if not model.classes:
        return found
    if model.answers == 1:
        return f"{found}\nint {name}_class(const double answers[{big}_ANSWERS])\n{{\n    return answers[0] > 0.5;\n}}\n"
    return (
        f"{found}\nint {name}_class(const double answers[{big}_ANSWERS])\n{{\n    int at, best = 0;\n\n"
        f"    for (at = 1; at < {big}_ANSWERS; at++)\n"
        f"        if (answers[at] > answers[best])\n            best = at;\n    return best;\n}}\n"
    )


def _more(model: Exported) -> str:
    return "    double greatest, total = 0.0;\n" if model.formula.link == "softmax" else ""


_LINKS = {
    "identity": "",
    "exp": "    answers[0] = exp(answers[0]);\n",
    "expit": "    answers[0] = 1.0 / (1.0 + exp(-answers[0]));\n",
    "softmax": (
        "    greatest = answers[0];\n    for (at = 1; at < ANSWERS; at++)\n        if (answers[at] > greatest)\n"
        "            greatest = answers[at];\n    for (at = 0; at < ANSWERS; at++) {\n        answers[at] = exp(answers[at] - greatest);\n"
        "        total += answers[at];\n    }\n    for (at = 0; at < ANSWERS; at++)\n        answers[at] /= total;\n"
    ),
}


def _c(number: float | None) -> str:
    """Return a number as C99 reads it, every bit of it."""
    value = float(number or 0.0)
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return value.hex()


def _numbers(what: str, values: Sequence[float]) -> str:
    return _array(what, [_c(one) for one in values])


def _whole(what: str, values: Sequence[float]) -> str:
    return _array(what, [str(int(one)) for one in values])


def _texts(what: str, values: Sequence[str]) -> str:
    return _array(what, [f'"{_escaped(one)}"' for one in values])


def _array(what: str, values: Sequence[str]) -> str:
    lines: list[str] = [""]
    for one in values:
        if len(lines[-1]) + len(one) > _WIDTH:
            lines.append("")
        lines[-1] += f" {one},"
    return f"{what}[{len(values)}] = {{\n" + "\n".join(f"   {line}" for line in lines) + "\n};\n"


def _escaped(text: str) -> str:
    """Return a text's UTF-8 for a C string; whatever is no plain letter is an octal number of three digits, so that nothing runs on."""
    return "".join(chr(one) if chr(one).isascii() and (chr(one).isalnum() or one in b" _-.,:") else f"\\{one:03o}" for one in text.encode())


def _comment(lines: Sequence[str]) -> str:
    text = "\n".join(textwrap.fill(line, _WIDTH) for line in lines).replace("*/", "* /").replace("/*", "/ *")
    return "/*\n" + "\n".join(f" * {line}".rstrip() for line in text.splitlines()) + "\n */\n"
