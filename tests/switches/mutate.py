"""Applies one switch: mutate.py SWITCH SOURCE-ROOT OUTPUT writes the source file named in it, changed.

A switch file begins with lines `key: value`:
  rule     the rule of docs/rules.md, or the limit, that is taken away
  why      what goes wrong without it, in one sentence
  suite    the cmocka program (a CMake target) or, with `program`, the script below tests/ that must turn red
  file     the source file that is changed
  program  stillpoint or stillpointd: which program the script gets in a broken form
  args     arguments for the suite; @SOURCE@ is the folder of all sources
  hangs    yes: a suite that never ends counts as red too
  seed     SP_SEED for a suite that draws its cases (1)
Then follow, any number of times, a line `from:`, lines of the source file as they stand there, a line `to:`, and
the lines that replace them (none: they go). The lines of `from` must be found exactly once, spaces at both ends
of a line aside: a switch that no longer fits the source breaks the build, so it cannot quietly test nothing.
"""
import pathlib
import sys


def parse(path):
    keys, changes, target = {}, [], None
    for line in path.read_text().splitlines():
        if line == "from:":
            changes.append(([], []))
            target = changes[-1][0]
        elif line == "to:":
            target = changes[-1][1]
        elif target is not None:
            target.append(line)
        elif line.strip():
            key, _, value = line.partition(":")
            keys[key] = value.strip()
    return keys, changes


def apply(lines, find, put, name):
    want = [line.strip() for line in find]
    have = [line.strip() for line in lines]
    at = [i for i in range(len(have)) if have[i : i + len(want)] == want]
    if not want or len(at) != 1:
        sys.exit(f"{name}: its lines stand {len(at)} times in the source, not once; mend the switch.")
    return lines[: at[0]] + put + lines[at[0] + len(want) :]


def main():
    switch, root, output = map(pathlib.Path, sys.argv[1:4])
    keys, changes = parse(switch)
    if not changes:
        sys.exit(f"{switch}: it changes nothing.")
    source = root / keys["file"]
    lines = source.read_text().splitlines()
    for find, put in changes:
        lines = apply(lines, find, put, switch)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(f'#line 1 "{keys["file"]}"\n' + "\n".join(lines) + "\n")


main()
