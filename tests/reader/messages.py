#!/usr/bin/python3
"""Holds the messages in docs/format.md against storage/format.proto, which the programs are made from, and
against the tables of this reader: messages.py SOURCE-FOLDER. What one has and the other has not is printed."""
import pathlib
import re
import sys

import format as reader

KINDS = {"uint32": reader.UINT, "bool": reader.UINT, "uint64": reader.UINT, "int64": reader.INT, "sint64": reader.SINT,
         "bytes": reader.BYTES, "string": reader.TEXT}
TABLES = {"ListChild": "SEGMENT"}  # the others: SetClear is SET_CLEAR


def messages(text):
    """{message: {number: (repeated, type, name)}}, comments left out."""
    text = re.sub(r"//.*", "", text)
    field = re.compile(r"(repeated )?(\w+) (\w+) = (\d+);")
    return {name: {int(n): (bool(repeated), kind, field_name)
                   for repeated, kind, field_name, n in field.findall(body)}
            for name, body in re.findall(r"message (\w+) \{(.*?)\n\}", text, re.S)}


def table_of(message):
    return getattr(reader, TABLES.get(message, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", message).upper()), None)


source = pathlib.Path(sys.argv[1])
page = messages((source / "docs/format.md").read_text(encoding="utf-8").split("```proto\n")[1].split("```")[0])
proto = messages((source / "storage/format.proto").read_text(encoding="utf-8"))
mistakes = [f"{m}: docs/format.md has {page.get(m)}, storage/format.proto {proto.get(m)}"
            for m in sorted(page.keys() | proto.keys()) if page.get(m) != proto.get(m)]
for message, fields in page.items():
    for number, (name, kind) in (table_of(message) or {}).items():
        repeated = isinstance(kind, list)
        kind = kind[0] if repeated else kind
        told = fields.get(number, (False, "", ""))
        if (repeated, name) != (told[0], told[2]) or kind != KINDS.get(told[1], table_of(told[1] or "none")):
            mistakes.append(f"{message}: the reader has {number} as {name}, docs/format.md {told}")
print(*mistakes, sep="\n", end="\n" * bool(mistakes))
sys.exit(bool(mistakes))
