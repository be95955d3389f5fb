"""The choice of a span, one table for each language. ▮ is the cursor.

A row is: what stands there, the source, and the kind or the reason that is expected. `block` goes
over several lines, every other kind is one line.
"""

# ruff: noqa: E501 - a row of a table is one line

import pytest

from lsp_server import syntax
from lsp_server.document import Document
from lsp_server.indent import indent_unit
from lsp_server.nothing import Nothing
from lsp_server.spans import Span, SpanKind, choose, choose_lines

CURSOR = "▮"

Row = tuple[str, str, str]

PYTHON: list[Row] = [
    ("line end after =", "x = ▮\ny = 2\n", "line-end"),
    ("line end after return", "def f():\n    return ▮\n", "line-end"),
    ("line end after a half word", "import os\nx = os.pa▮\n", "line-end"),
    ("trailing blanks right of the cursor", "x = ▮   \ny = 2\n", "line-end"),
    ("last line without a line end", "x = 1\ny = ▮", "line-end"),
    ("middle of a sum", "x = ▮ + 3\n", "expression"),
    ("condition before its colon", "if x == ▮:\n    pass\n", "expression"),
    ("keyword parenthesis", "if (▮):\n    pass\n", "expression"),
    ("list", "x = [1, ▮]\n", "expression"),
    ("list over lines", "x = [\n    1,\n    ▮\n]\n", "expression"),
    ("dictionary", "x = {▮}\n", "expression"),
    ("empty dictionary over lines", "x = {\n    ▮\n}\n", "block"),
    ("empty list, cursor after the bracket", "x = [▮\n]\n", "block"),
    ("empty call over lines", "print(\n    ▮\n)\n", "block"),
    ("empty call never closed", "print(\n    ▮\n\nx = 1\n", "arguments"),
    ("dictionary value at a line end", 'x = {\n    "a":▮\n}\n', "expression"),
    ("lambda in a call", "f(lambda x:▮)\n", "arguments"),
    ("subscript", "x = y[▮]\n", "expression"),
    ("call", "print(▮)\n", "arguments"),
    ("second argument", "print(a, ▮)\n", "arguments"),
    ("call at a line end", "print(a, ▮\ny = 1\n", "arguments"),
    ("call over lines", "print(\n    a,\n    ▮\n)\n", "arguments"),
    ("parameters", "def f(a, ▮):\n    pass\n", "arguments"),
    ("empty function", "def f():\n    ▮\n", "block"),
    ("empty function, cursor at column 0", "def f():\n▮\n\nx = 1\n", "block"),
    ("empty function, cursor after the colon", "def f():▮\n", "block"),
    ("empty function, colon and comment", "def f():  # why\n    ▮\n", "block"),
    ("function with only a docstring", 'def f():\n    """Does it."""\n    ▮\n', "block"),
    ("function with a long docstring", 'def f():\n    """Does\n    it.\n    """\n    ▮\n', "block"),
    ("function with only a comment", "def f():\n    # do it\n    ▮\n", "block"),
    ("empty method before the next", "class A:\n    def f(self):\n        ▮\n\n    def g(self):\n        pass\n", "block"),
    ("empty else", "if x:\n    pass\nelse:\n    ▮\n", "block"),
    ("parameters over lines, then the body", "def f(\n    a,\n    b,\n):\n    ▮\n", "block"),
    ("body that is not empty", "def f():\n    ▮\n    return 1\n", "statement"),
    ("statement after another", "x = 1\n▮\ny = 2\n", "statement"),
    ("statement after a block", "def f():\n    return 1\n\n▮\n", "statement"),
    ("statement at the file's end", "def f():\n    x = 1\n    ▮", "statement"),
    ("half a statement", "def f():\n    x = 1\n    ret▮\n", "line-end"),
    ("string", 'x = "ab▮"\n', "string"),
    ("empty string", 'x = "▮"\n', "string"),
    ("string never closed", "x = 'ab▮\ny = 1\n", "string"),
    ("string as an argument", 'open("▮", "r")\n', "string"),
    ("docstring", 'def f():\n    """Does ▮\n    """\n', "string"),
    ("after a closed string", 'x = "ab"▮\n', "line-end"),
    ("interpolation", 'x = f"a {▮} b"\n', "expression"),
    ("text of a format string", 'x = f"a ▮ {b}"\n', "string"),
    ("comment", "# foo▮\nx = 1\n", "comment"),
    ("comment after code", "x = 1  # foo ▮\n", "comment"),
    ("empty body below two comments", "if x:  # a # b\n    ▮\n", "block"),
    ("empty body above blanks as far right as its tabs", "class A:\n\tdef g(self):\n\t\tif x:\n\t\t\t▮\n        y = 1\n", "block"),
    ("empty comment", "#▮\n", "comment"),
    ("hash in a string is no comment", 'x = "#" + ▮\n', "line-end"),
    ("line after a comment", "# foo\n▮\nx = 1\n", "statement"),
    ("decorator", "@foo▮\ndef f():\n    pass\n", "decorator"),
    ("bare decorator", "import a\n\n@▮\n", "decorator"),
    ("decorator's call", "@foo(▮)\ndef f():\n    pass\n", "decorator"),
    ("matrix product is no decorator", "x = a @ ▮\n", "line-end"),
    ("import", "import o▮\n", "import"),
    ("bare import", "import ▮\n", "import"),
    ("from import", "from os import ▮\n", "import"),
    ("from", "from ▮\n", "import"),
    ("import list", "from os import (\n    path,\n    ▮\n)\n", "import"),
    ("line after an import", "import os\n▮\n", "statement"),
    ("raise from is no import", "def f():\n    raise A from ▮\n", "line-end"),
    ("broken line above", "def f(:\n    return 1\n\ndef g(a):\n    return ▮\n", "line-end"),
    ("call never closed above", "x = foo(\n\ndef g(a):\n    return ▮\n", "line-end"),
    ("call never closed above, empty block", "x = foo(\n\ndef g(a):\n    ▮\n", "block"),
    ("broken line below", "x = ▮\ndef f(:\n", "line-end"),
    ("inside a word", "fo▮o = 1\n", "inside-word"),
    ("before a word", "x = ▮foo\n", "before-word"),
    ("inside a word of a comment", "# fo▮o\n", "inside-word"),
    ("inside a word that is not ASCII", "x = größ▮e\n", "inside-word"),
    ("after ;", "x = 1;▮\n", "statement-complete"),
    ("between two strings", 'x = (\n    "a"\n    ▮\n    "b"\n)\n', "expression"),
    ("docstring never closed", 'def f():\n    """Does ▮\n    return 1\n', "string"),
]  # fmt: skip

JAVASCRIPT: list[Row] = [
    ("line end after =", "const x = ▮\nlet y = 2;\n", "line-end"),
    ("line end after return", "function f() {\n  return ▮\n}\n", "line-end"),
    ("before the semicolon", "const x = ▮;\n", "expression"),
    ("middle of a sum", "const x = ▮ + 3;\n", "expression"),
    ("condition", "if (▮) {\n}\n", "expression"),
    ("condition before its brace", "while (a < ▮) {\n}\n", "expression"),
    ("array", "const x = [1, ▮];\n", "expression"),
    ("object", "const x = {▮};\n", "expression"),
    ("object over lines", "const x = {\n  a: 1,\n  ▮\n};\n", "expression"),
    ("empty object over lines", "const x = {\n  ▮\n};\n", "block"),
    ("empty object, cursor after the brace", "return {▮\n};\n", "block"),
    ("object that is empty up to the cursor", "const x = {\n  ▮\n  a: 1,\n};\n", "expression"),
    ("empty object in a call", "foo(a, {\n  ▮\n});\n", "block"),
    ("empty array over lines", "const x = [\n  ▮\n];\n", "block"),
    ("empty call over lines", "foo(\n  ▮\n);\n", "block"),
    ("object never closed", "const x = { a: ▮\n", "line-end"),
    ("call", "foo(▮);\n", "arguments"),
    ("second argument", "foo(a, ▮)\n", "arguments"),
    ("call at a line end", "foo(a, ▮\n", "arguments"),
    ("call over lines", "foo(\n  a,\n  ▮\n);\n", "arguments"),
    ("parameters", "function f(a, ▮) {}\n", "arguments"),
    ("method call after a call", "a.b().then(▮);\n", "arguments"),
    ("empty function", "function f() {\n  ▮\n}\n", "block"),
    ("empty function on one line", "function f() {▮}\n", "block"),
    ("empty function, cursor after the brace", "function f() {▮\n}\n", "block"),
    ("empty function never closed", "function f() {\n  ▮\n", "block"),
    ("empty function with a comment", "function f() {\n  // do it\n  ▮\n}\n", "block"),
    ("empty body below an address", "if (x) {  // see https://a.b\n  ▮\n}\n", "block"),
    ("empty body below two comments", "if (x) {  /* a */ // b\n  ▮\n}\n", "block"),
    ("empty callback", "foo(() => {\n  ▮\n});\n", "block"),
    ("empty callback on one line", "foo((a) => {▮});\n", "block"),
    ("empty class", "class A {\n  ▮\n}\n", "block"),
    ("empty else", "if (x) {\n  y();\n} else {\n  ▮\n}\n", "block"),
    ("body that is not empty", "function f() {\n  ▮\n  return 1;\n}\n", "statement"),
    ("statement after another", "let x = 1;\n▮\nlet y = 2;\n", "statement"),
    ("statement at a block's end", "function f() {\n  a();\n  ▮\n}\n", "statement"),
    ("half a statement", "function f() {\n  a();\n  ret▮\n}\n", "line-end"),
    ("string", "const x = 'ab▮';\n", "string"),
    ("empty string", 'foo("▮");\n', "string"),
    ("string never closed", "const x = 'ab▮\nlet y;\n", "string"),
    ("template", "const x = `ab ▮`;\n", "string"),
    ("interpolation", "const x = `a ${▮} b`;\n", "expression"),
    ("comment", "// foo▮\nlet x;\n", "comment"),
    ("comment after code", "let x = 1; // foo ▮\n", "comment"),
    ("block comment", "/* foo ▮ */\nlet x;\n", "comment"),
    ("doc comment", "/**\n * ▮\n */\nfunction f() {}\n", "comment"),
    ("after a block comment", "/* foo */ ▮\n", "line-end"),
    ("slashes in a string are no comment", "const x = 'http://' + ▮\n", "line-end"),
    ("decorator", "@foo▮\nclass A {}\n", "decorator"),
    ("decorator's call", "@foo(▮)\nclass A {}\n", "decorator"),
    ("import", "import ▮\n", "import"),
    ("import list", "import { a, ▮ } from 'x';\n", "import"),
    ("import path", "import a from '▮';\n", "import"),
    ("dynamic import is a call", "const a = await import(▮);\n", "arguments"),
    ("line after an import", "import a from 'a';\n▮\n", "statement"),
    ("brace missing above", "function f() {\n  if (x) {\n    a();\n\nfunction g() {\n  return ▮\n}\n", "line-end"),
    ("call never closed above", "foo(\n\nfunction g() {\n  ▮\n}\n", "block"),
    ("broken line below", "let x = ▮\nfunction (( {\n", "line-end"),
    ("inside a word", "fo▮o();\n", "inside-word"),
    ("before a word", "const x = ▮foo;\n", "before-word"),
    ("inside a word with $", "a▮$b;\n", "inside-word"),
    ("after ;", "let x = 1;▮\n", "statement-complete"),
    ("after ; before a comment", "let x = 1; ▮// one\n", "statement-complete"),
    ("after ; in a block of one line", "if (a) { b(); ▮ }\n", "line-end"),
    ("after ; in a for", "for (let i = 0; ▮) {}\n", "expression"),
]  # fmt: skip

TYPESCRIPT: list[Row] = [
    *JAVASCRIPT,
    ("type annotation", "const x: ▮ = 3;\n", "expression"),
    ("type annotation at a line end", "let x: ▮\n", "line-end"),
    ("return type", "function f(): ▮ {\n}\n", "expression"),
    ("empty interface", "interface A {\n  ▮\n}\n", "block"),
    ("empty enum", "enum A {\n  ▮\n}\n", "block"),
    ("member of an interface", "interface A {\n  a: string;\n  ▮\n}\n", "statement"),
    ("type import", "import type { A, ▮ } from 'a';\n", "import"),
    ("re-export", "export { a } from '▮';\n", "import"),
    ("property decorator", "class A {\n  @Input(▮) a: string;\n}\n", "decorator"),
    ("generic call", "foo<string>(▮);\n", "arguments"),
    ("type arguments", "const x = new Map<▮>();\n", "expression"),
]  # fmt: skip

TSX: list[Row] = [
    *TYPESCRIPT,
    ("expression in an element", "const x = <p>{▮}</p>;\n", "expression"),
    ("attribute", "const x = <p id={▮} />;\n", "expression"),
    ("attribute's string", 'const x = <p id="▮" />;\n', "string"),
    ("handler", "const x = <p onClick={() => {▮}} />;\n", "block"),
    ("line between elements", "const x = (\n  <p>\n    ▮\n  </p>\n);\n", "expression"),
]  # fmt: skip

GO: list[Row] = [
    ("line end after :=", "package a\n\nfunc f() {\n\tx := ▮\n}\n", "line-end"),
    ("line end after return", "package a\n\nfunc f() int {\n\treturn ▮\n}\n", "line-end"),
    ("after ;", "package a\n\nfunc f() {\n\tg();▮\n}\n", "statement-complete"),
    ("condition after a statement", "package a\n\nfunc f() {\n\tif err := g(); ▮\n}\n", "line-end"),
    ("second condition after a statement", "package a\n\nfunc f() {\n\tif a {\n\t} else if err := g(); ▮\n}\n", "line-end"),
    ("loop", "package a\n\nfunc f() {\n\tfor i := 0; i < n; ▮\n}\n", "line-end"),
    ("middle of a sum", "package a\n\nvar x = ▮ + 3\n", "expression"),
    ("condition before its brace", "package a\n\nfunc f() {\n\tif x == ▮ {\n\t}\n}\n", "expression"),
    ("index", "package a\n\nvar x = y[▮]\n", "expression"),
    ("composite literal", "package a\n\nvar x = []int{▮}\n", "expression"),
    ("composite literal over lines", "package a\n\nvar x = T{\n\ta,\n\t▮\n}\n", "expression"),
    ("empty composite literal", "package a\n\nvar x = T{\n\t▮\n}\n", "block"),
    ("call", "package a\n\nfunc f() {\n\tfmt.Println(▮)\n}\n", "arguments"),
    ("second argument", "package a\n\nvar x = foo(a, ▮)\n", "arguments"),
    ("call at a line end", "package a\n\nfunc f() {\n\tfoo(a, ▮\n}\n", "arguments"),
    ("parameters", "package a\n\nfunc f(a int, ▮) {}\n", "arguments"),
    ("empty function", "package a\n\nfunc f() {\n\t▮\n}\n", "block"),
    ("empty function on one line", "package a\n\nfunc f() {▮}\n", "block"),
    ("empty function never closed", "package a\n\nfunc f() {\n\t▮\n", "block"),
    ("empty function with a comment", "package a\n\nfunc f() {\n\t// do it\n\t▮\n}\n", "block"),
    ("empty if", "package a\n\nfunc f() {\n\tif err != nil {\n\t\t▮\n\t}\n}\n", "block"),
    ("empty struct", "package a\n\ntype T struct {\n\t▮\n}\n", "block"),
    ("empty closure in a call", "package a\n\nfunc f() {\n\tgo run(func() {\n\t\t▮\n\t})\n}\n", "block"),
    ("statement after another", "package a\n\nfunc f() {\n\ta()\n\t▮\n\tb()\n}\n", "statement"),
    ("statement at a block's end", "package a\n\nfunc f() {\n\ta()\n\t▮\n}\n", "statement"),
    ("declaration", "package a\n\nvar x = 1\n\n▮\n", "statement"),
    ("string", 'package a\n\nvar x = "ab▮"\n', "string"),
    ("string never closed", 'package a\n\nvar x = "ab▮\n', "string"),
    ("raw string", "package a\n\nvar x = `ab▮`\n", "string"),
    ("comment", "package a\n\n// foo▮\nvar x = 1\n", "comment"),
    ("comment after code", "package a\n\nvar x = 1 // foo ▮\n", "comment"),
    ("block comment", "package a\n\n/* foo ▮ */\n", "comment"),
    ("import", "package a\n\nimport ▮\n", "import"),
    ("import path", 'package a\n\nimport "▮"\n', "import"),
    ("import list", 'package a\n\nimport (\n\t"fmt"\n\t▮\n)\n', "import"),
    ("package clause", "package ▮\n", "import"),
    ("line after an import", 'package a\n\nimport "fmt"\n\n▮\n', "statement"),
    ("call never closed above", "package a\n\nfunc f() {\n\tfoo(\n}\n\nfunc g() {\n\t▮\n}\n", "block"),
    ("broken line below", "package a\n\nvar x = ▮\n\nfunc (( {\n", "line-end"),
    ("inside a word", "package a\n\nvar fo▮o = 1\n", "inside-word"),
    ("before a word", "package a\n\nvar x = ▮foo\n", "before-word"),
]  # fmt: skip

RUST: list[Row] = [
    ("line end after =", "fn f() {\n    let x = ▮\n}\n", "line-end"),
    ("before the semicolon", "fn f() {\n    let x = ▮;\n}\n", "expression"),
    ("middle of a sum", "const X: u8 = ▮ + 3;\n", "expression"),
    ("condition before its brace", "fn f() {\n    if x == ▮ {\n    }\n}\n", "expression"),
    ("return type", "fn f() -> ▮ {\n}\n", "expression"),
    ("struct literal", "fn f() {\n    let x = T {▮};\n}\n", "expression"),
    ("empty struct literal", "fn f() {\n    let x = T {\n        ▮\n    };\n}\n", "block"),
    ("slice", "fn f() {\n    let x = [1, ▮];\n}\n", "expression"),
    ("call", "fn f() {\n    foo(▮);\n}\n", "arguments"),
    ("macro", "fn f() {\n    println!(▮);\n}\n", "arguments"),
    ("second argument", "fn f() {\n    foo(a, ▮)\n}\n", "arguments"),
    ("call at a line end", "fn f() {\n    foo(a, ▮\n}\n", "arguments"),
    ("parameters", "fn f(a: u8, ▮) {}\n", "arguments"),
    ("empty function", "fn f() {\n    ▮\n}\n", "block"),
    ("empty function on one line", "fn f() {▮}\n", "block"),
    ("empty function with a lifetime", "fn f<'a>(x: &'a str) {\n    ▮\n}\n", "block"),
    ("empty function never closed", "fn f() {\n    ▮\n", "block"),
    ("empty function with a comment", "fn f() {\n    // do it\n    ▮\n}\n", "block"),
    ("empty struct", "struct T {\n    ▮\n}\n", "block"),
    ("empty impl", "impl T {\n    ▮\n}\n", "block"),
    ("empty match", "fn f() {\n    match x {\n        ▮\n    }\n}\n", "block"),
    ("empty closure in a call", "fn f() {\n    run(|| {\n        ▮\n    });\n}\n", "block"),
    ("statement after another", "fn f() {\n    a();\n    ▮\n    b();\n}\n", "statement"),
    ("statement at a block's end", "fn f() {\n    a();\n    ▮\n}\n", "statement"),
    ("item", "fn f() {}\n\n▮\n", "statement"),
    ("string", 'fn f() {\n    let x = "ab▮";\n}\n', "string"),
    ("string never closed", 'const X: &str = "ab▮\n', "string"),
    ("format string", 'fn f() {\n    println!("{▮}", x);\n}\n', "string"),
    ("raw string", 'const X: &str = r"ab▮";\n', "string"),
    ("comment", "// foo▮\nfn f() {}\n", "comment"),
    ("doc comment", "/// foo ▮\nfn f() {}\n", "comment"),
    ("block comment", "/* foo ▮ */\nfn f() {}\n", "comment"),
    ("line after a doc comment", "/// foo\n▮\nfn f() {}\n", "statement"),
    ("attribute", "#[▮]\nstruct T;\n", "decorator"),
    ("derive", "#[derive(▮)]\nstruct T;\n", "decorator"),
    ("attribute never closed", "#[derive▮\nstruct T;\n", "decorator"),
    ("use", "use std::▮;\n", "import"),
    ("use at a line end", "use std::▮\n", "import"),
    ("use list", "use std::{fmt, ▮};\n", "import"),
    ("line after use", "use std::fmt;\n▮\n", "statement"),
    ("brace missing above", "fn f() {\n    if x {\n        a();\n\nfn g() {\n    let x = ▮\n}\n", "line-end"),
    ("call never closed above", "fn f() {\n    foo(\n}\n\nfn g() {\n    ▮\n}\n", "block"),
    ("inside a word", "fn fo▮o() {}\n", "inside-word"),
    ("before a word", "const X: u8 = ▮foo;\n", "before-word"),
    ("after ;", "const X: u8 = 1;▮\n", "statement-complete"),
]  # fmt: skip

JAVA: list[Row] = [
    ("line end after =", "class A {\n    void f() {\n        int x = ▮\n    }\n}\n", "line-end"),
    ("before the semicolon", "class A {\n    int x = ▮;\n}\n", "expression"),
    ("middle of a sum", "class A {\n    int x = ▮ + 3;\n}\n", "expression"),
    ("condition", "class A {\n    void f() {\n        if (▮) {\n        }\n    }\n}\n", "expression"),
    ("array", "class A {\n    int[] x = {▮};\n}\n", "expression"),
    ("call", "class A {\n    void f() {\n        g(▮);\n    }\n}\n", "arguments"),
    ("second argument", "class A {\n    int x = g(1, ▮);\n}\n", "arguments"),
    ("call at a line end", "class A {\n    void f() {\n        g(a, ▮\n    }\n}\n", "arguments"),
    ("constructor", "class A {\n    A x = new A(▮);\n}\n", "arguments"),
    ("parameters", "class A {\n    void f(int a, ▮) {}\n}\n", "arguments"),
    ("empty method", "class A {\n    void f() {\n        ▮\n    }\n}\n", "block"),
    ("empty method on one line", "class A {\n    void f() {▮}\n}\n", "block"),
    ("empty method never closed", "class A {\n    void f() {\n        ▮\n", "block"),
    ("empty method with a comment", "class A {\n    void f() {\n        // do it\n        ▮\n    }\n}\n", "block"),
    ("empty class", "class A {\n    ▮\n}\n", "block"),
    ("empty interface", "interface A {\n    ▮\n}\n", "block"),
    ("empty catch", "class A {\n    void f() {\n        try {\n            g();\n        } catch (E e) {\n            ▮\n        }\n    }\n}\n", "block"),
    ("empty lambda in a call", "class A {\n    void f() {\n        run(() -> {\n            ▮\n        });\n    }\n}\n", "block"),
    ("statement after another", "class A {\n    void f() {\n        a();\n        ▮\n        b();\n    }\n}\n", "statement"),
    ("member", "class A {\n    int x;\n    ▮\n}\n", "statement"),
    ("string", 'class A {\n    String x = "ab▮";\n}\n', "string"),
    ("string never closed", 'class A {\n    String x = "ab▮\n}\n', "string"),
    ("character", "class A {\n    char x = '▮';\n}\n", "string"),
    ("comment", "// foo▮\nclass A {}\n", "comment"),
    ("comment after code", "class A {\n    int x; // foo ▮\n}\n", "comment"),
    ("doc comment", "/**\n * Does ▮\n */\nclass A {}\n", "comment"),
    ("annotation", "class A {\n    @Over▮\n    void f() {}\n}\n", "decorator"),
    ("annotation's value", 'class A {\n    @Foo(▮)\n    void f() {}\n}\n', "decorator"),
    ("code after an annotation", "class A {\n    @Override public ▮\n}\n", "line-end"),
    ("import", "import java.▮;\n", "import"),
    ("import at a line end", "import java.▮\n", "import"),
    ("package", "package a.▮;\n", "import"),
    ("line after an import", "import java.util.List;\n▮\n", "statement"),
    ("brace missing above", "class A {\n    void f() {\n        if (x) {\n            a();\n\n    void g() {\n        int x = ▮\n    }\n}\n", "line-end"),
    ("call never closed above", "class A {\n    int x = g(\n\n    public void f() {\n        ▮\n    }\n}\n", "block"),
    ("inside a word", "class A▮B {}\n", "inside-word"),
    ("before a word", "class A {\n    int x = ▮foo;\n}\n", "before-word"),
    ("after ;", "class A {\n    int x;▮\n}\n", "statement-complete"),
]  # fmt: skip

C: list[Row] = [
    ("line end after =", "int f(void) {\n    int x = ▮\n}\n", "line-end"),
    ("before the semicolon", "int x = ▮;\n", "expression"),
    ("middle of a sum", "int x = ▮ + 3;\n", "expression"),
    ("condition", "int f(void) {\n    if (▮) {\n    }\n}\n", "expression"),
    ("for header", "int f(void) {\n    for (int i = 0; ▮\n}\n", "expression"),
    ("empty initialiser", "int x[] = {\n    ▮\n};\n", "block"),
    ("initialiser", "int x[] = {▮};\n", "expression"),
    ("index", "int x = y[▮];\n", "expression"),
    ("call", "int f(void) {\n    g(▮);\n}\n", "arguments"),
    ("second argument", "int f(void) {\n    g(a, ▮);\n}\n", "arguments"),
    ("call at a line end", "int f(void) {\n    g(a, ▮\n}\n", "arguments"),
    ("parameters", "int f(int a, ▮) {}\n", "arguments"),
    ("empty function", "int f(void) {\n    ▮\n}\n", "block"),
    ("empty function, brace on its own line", "int f(void)\n{\n    ▮\n}\n", "block"),
    ("empty function on one line", "int f(void) {▮}\n", "block"),
    ("empty function never closed", "int f(void) {\n    ▮\n", "block"),
    ("empty function with a comment", "int f(void) {\n    /* do it */\n    ▮\n}\n", "block"),
    ("empty loop", "int f(void) {\n    while (x) {\n        ▮\n    }\n}\n", "block"),
    ("empty struct", "struct t {\n    ▮\n};\n", "block"),
    ("statement after another", "int f(void) {\n    a();\n    ▮\n    b();\n}\n", "statement"),
    ("field", "struct t {\n    int a;\n    ▮\n};\n", "statement"),
    ("declaration", "int x;\n\n▮\n", "statement"),
    ("string", 'char *x = "ab▮";\n', "string"),
    ("string never closed", 'char *x = "ab▮\n', "string"),
    ("format string", 'int f(void) {\n    printf("%d▮", x);\n}\n', "string"),
    ("character", "char x = '▮';\n", "string"),
    ("comment", "// foo▮\nint x;\n", "comment"),
    ("block comment", "/* foo ▮ */\nint x;\n", "comment"),
    ("comment over lines", "/*\n * foo ▮\n */\nint x;\n", "comment"),
    ("attribute", "[[▮]] int f(void);\n", "decorator"),
    ("include", "#include ▮\nint x;\n", "import"),
    ("include <", "#include <▮\nint x;\n", "import"),
    ("include a name in quotes", '#include "▮"\nint x;\n', "import"),
    ("line after an include", "#include <stdio.h>\n▮\nint x;\n", "statement"),
    ("define", "#define X ▮\n", "line-end"),
    ("brace missing above", "int f(void) {\n    if (x) {\n        a();\n\nint g(void) {\n    int x = ▮\n}\n", "line-end"),
    ("call never closed above", "int f(void) {\n    g(\n    return 1;\n}\n\nint h(void) {\n    ▮\n}\n", "block"),
    ("inside a word", "int fo▮o;\n", "inside-word"),
    ("before a word", "int x = ▮foo;\n", "before-word"),
    ("after ;", "int x;▮\n", "statement-complete"),
]  # fmt: skip

CPP: list[Row] = [
    *C,
    ("empty class", "class A {\n    ▮\n};\n", "block"),
    ("empty namespace", "namespace a {\n▮\n}\n", "block"),
    ("empty lambda in a call", "void f() {\n    run([&] {\n        ▮\n    });\n}\n", "block"),
    ("member", "class A {\n  public:\n    int x;\n    ▮\n};\n", "statement"),
    ("template call", "int x = g<int>(▮);\n", "arguments"),
    ("stream", "void f() {\n    std::cout << ▮\n}\n", "line-end"),
    ("using", "using std::▮;\n", "import"),
    ("raw string", 'auto x = R"(ab▮)";\n', "string"),
]  # fmt: skip

UNKNOWN: list[Row] = [
    ("line end", "x = ▮\n", "line-end"),
    ("middle of a line", "x = ▮ + 3\n", "expression"),
    ("call", "foo(a, ▮)\n", "arguments"),
    ("list", "x = [▮]\n", "expression"),
    ("deeper after a block's head", "if x then\n  ▮\nend\n", "block"),
    ("deeper after a colon", "jobs:\n  ▮\n", "block"),
    ("block that is not empty", "if x then\n  ▮\n  y()\nend\n", "statement"),
    ("statement", "a()\n▮\nb()\n", "statement"),
    ("string never closed", 'x = "ab▮\n', "string"),
    ("string", 'x = "ab▮"\n', "string"),
    ("comment", "-- foo ▮\n", "comment"),
    ("inside a word", "fo▮o\n", "inside-word"),
    ("before a word", "x = ▮foo\n", "before-word"),
    ("a semicolon may begin a comment", "mov a, b ;▮\n", "line-end"),
]  # fmt: skip

TABLES = {
    "python": PYTHON,
    "javascript": JAVASCRIPT,
    "javascriptreact": JAVASCRIPT,
    "typescript": TYPESCRIPT,
    "typescriptreact": TSX,
    "go": GO,
    "rust": RUST,
    "java": JAVA,
    "c": C,
    "cpp": CPP,
    "plaintext": UNKNOWN,
}

CASES = [
    pytest.param(language, source, expected, id=f"{language}: {what}")
    for language, rows in TABLES.items()
    for what, source, expected in rows
]


def marked(language: str, source: str) -> tuple[Document, int]:
    """The document without the cursor's mark, and the cursor."""
    before, after = source.split(CURSOR)
    return Document.open("file:///x", language, 1, before + after), len(before)


def span_at(language: str, source: str, *, multiline: bool = True) -> Span:
    span = choose(*marked(language, source), multiline=multiline)
    assert isinstance(span, Span), span
    return span


@pytest.mark.parametrize(("language", "source", "expected"), CASES)
def test_choice(language: str, source: str, expected: str) -> None:
    document, offset = marked(language, source)
    span = choose(document, offset)
    if isinstance(span, Nothing):
        assert span.reason == expected
        assert span.detail.endswith(".")
        return
    assert span.kind == expected
    assert (span.start, span.end) == (offset, offset)
    assert span.stop_at_newline is (span.kind is not SpanKind.BLOCK)


@pytest.mark.parametrize(("language", "source", "expected"), CASES)
def test_choice_holds_with_windows_line_ends(language: str, source: str, expected: str) -> None:
    document, offset = marked(language, source.replace("\n", "\r\n"))
    span = choose(document, offset)
    assert (span.reason if isinstance(span, Nothing) else span.kind) == expected


@pytest.mark.parametrize(("language", "source", "expected"), CASES)
def test_choice_holds_after_characters_of_several_bytes(
    language: str, source: str, expected: str
) -> None:
    comment = {"python": "# 😋é\n", "plaintext": "# 😋é\n"}.get(language, "// 😋é\n")
    document, offset = marked(language, comment + source)
    span = choose(document, offset)
    assert (span.reason if isinstance(span, Nothing) else span.kind) == expected


@pytest.mark.parametrize("text", ["", "\n", "  \n\t\r\n", "\ufeff"])
def test_an_empty_file_gives_a_reason(text: str) -> None:
    span = choose(Document.open("file:///x.py", "python", 1, text), 0)
    assert isinstance(span, Nothing)
    assert span.reason == "empty-file"


@pytest.mark.parametrize("offset", [-1, 6])
def test_an_offset_outside_the_file_gives_a_reason(offset: int) -> None:
    span = choose(Document.open("file:///x.py", "python", 1, "x = 1"), offset)
    assert isinstance(span, Nothing)
    assert span.reason == "outside-file"


def test_a_block_is_one_line_without_multiline() -> None:
    several = span_at("python", "def f():\n    ▮\n")
    one = span_at("python", "def f():\n    ▮\n", multiline=False)
    assert not several.stop_at_newline
    assert one.stop_at_newline
    assert one.max_tokens < several.max_tokens


@pytest.mark.parametrize(
    ("language", "source", "indent"),
    [
        ("python", "def f():▮\n", "    "),
        ("python", "def f():\n    ▮\n", "    "),
        ("python", "def f():\n▮\n", "    "),
        ("python", "class A:\n  x = 1\n  def f():▮\n", "    "),
        ("python", "class A:\n\tx = 1\n\tdef f():▮\n", "\t\t"),
        ("python", "def f():\n    x = ▮\n", "    "),
        ("javascript", "function f() {▮}\n", "  "),
        ("go", "package a\n\nfunc f() {▮}\n", "\t"),
        ("c", "void f() {\n        if (x) {▮}\n}\n", " " * 16),
        ("plaintext", "if x then\n  ▮\nend\n", "  "),
    ],
)
def test_indentation_of_the_place(language: str, source: str, indent: str) -> None:
    assert span_at(language, source).indent == indent


@pytest.mark.parametrize(
    ("language", "text", "unit"),
    [
        ("python", "if a:\n  b\n", "  "),
        ("python", "if a:\n\tb\n", "\t"),
        ("c", "/*\n * text\n */\nint f() {\n   return 1;\n}\n", "   "),
        ("python", "x = 1\n", "    "),
        ("typescript", "", "  "),
        ("java", "", "    "),
        ("go", "", "\t"),
    ],
)
def test_indent_unit(language: str, text: str, unit: str) -> None:
    assert indent_unit(Document.open("file:///x", language, 1, text), 0) == unit


def lines_of(text: str, first: int, last: int) -> Span | Nothing:
    return choose_lines(Document.open("file:///x.py", "python", 1, text), first, last)


def test_lines_are_replaced_without_the_last_line_end() -> None:
    text = "a = 1\r\n    b = 2\r\n    c = 3\r\nd = 4\r\n"
    span = lines_of(text, 1, 2)
    assert isinstance(span, Span)
    assert text[span.start : span.end] == "    b = 2\r\n    c = 3"
    assert (span.kind, span.indent, span.stop_at_newline) == (SpanKind.LINES, "    ", False)


def test_an_empty_line_takes_the_indentation_of_its_block() -> None:
    span = lines_of("def f():\n\nx = 1\n", 1, 1)
    assert isinstance(span, Span)
    assert (span.start, span.end, span.indent) == (9, 9, "    ")


def test_more_lines_may_take_more_tokens() -> None:
    text = "value = compute(1, 2, 3)\n" * 40
    few, many = lines_of(text, 0, 0), lines_of(text, 0, 39)
    assert isinstance(few, Span)
    assert isinstance(many, Span)
    assert few.max_tokens < many.max_tokens


@pytest.mark.parametrize(("first", "last"), [(-1, 0), (0, 3), (3, 3)])
def test_lines_outside_the_file_give_a_reason(first: int, last: int) -> None:
    span = lines_of("a\nb\n", first, last)
    assert isinstance(span, Nothing)
    assert span.reason == "outside-file"


def test_lines_the_wrong_way_round_give_a_reason() -> None:
    span = lines_of("a\nb\n", 1, 0)
    assert isinstance(span, Nothing)
    assert span.reason == "reversed-lines"


def test_lines_of_an_empty_file_give_a_reason() -> None:
    span = lines_of("", 0, 0)
    assert isinstance(span, Nothing)
    assert span.reason == "empty-file"


def test_every_place_of_a_text_gets_an_answer() -> None:
    """No cursor makes the choice fail, whatever the language makes of the text."""
    text = '\ufeff@a(\n\tf\'{x["é😋"]}\' \\\r\n/* \' */ { // `\r}\r\n#[ """\n\n  z(\''
    for language in TABLES:
        document = Document.open("file:///x", language, 1, text)
        for offset in range(len(text) + 1):
            span = choose(document, offset)
            assert isinstance(span, Nothing) or span.start == span.end == offset


def test_a_text_is_not_encoded_for_each_comment_above(monkeypatch: pytest.MonkeyPatch) -> None:
    above = "function f() {\n  // a comment, as é\n" + "  // and another one\n" * 300
    document = Document.open("file:///x", "javascript", 1, "call(é);\n" * 2_000 + above + "  \n}\n")
    assert document.tree is not None
    encode, sizes = syntax.encode, list[int]()

    def noting(text: str) -> bytes:
        sizes.append(len(text))
        return encode(text)

    monkeypatch.setattr(syntax, "encode", noting)
    span = choose(document, len(document.text) - 3)
    assert isinstance(span, Span)
    assert (span.kind, span.indent) == (SpanKind.BLOCK, "  ")
    assert sum(sizes) < 20 * len(document.text)


def test_a_long_word_before_the_cursor_is_read_once() -> None:
    """A million of digits, which would take hours if each was a beginning to look from."""
    text = f'const code = "0x{"6080604052" * 100_000}"; deploy('
    document = Document.open("file:///x", "javascript", 1, text)
    span = choose(document, len(text))
    assert isinstance(span, Span)
    assert span.kind is SpanKind.ARGUMENTS
