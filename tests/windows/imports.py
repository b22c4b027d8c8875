"""imports.py PROGRAM.exe…: fails when a program imports a DLL that is none of the system's (system.txt), or lacks one
of the protections that the loader gives. Prints size and imports of each. --self-test: it refuses what it must.
"""
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

# https://learn.microsoft.com/en-us/windows/win32/debug/pe-format#dll-characteristics
FLAGS = {"DYNAMIC_BASE": "its code stands at the same place in every run",
    "HIGH_ENTROPY_VA": "its code stands in the lowest 4 GiB", "NX_COMPAT": "its data can be executed"}


def allowed():
    lines = (HERE / "system.txt").read_text().splitlines()
    return {line.split()[0].lower() for line in lines if line.strip() and not line.startswith("#")}


def look(text, system):
    """What is wrong with a program, by the words of objdump -p; and what it imports."""
    wrong = []
    # Only the lines below "DllCharacteristics" tell the flags.
    told = re.search(r"^DllCharacteristics\s+[0-9a-f]+\n((?:[ \t]+.*\n)*)", text, re.M)
    flags = told.group(1).split() if told else []
    wrong += [f"{flag} is not set: {why}" for flag, why in FLAGS.items() if flag not in flags]
    relocations = re.search(r"^Entry 5 [0-9a-f]+ ([0-9a-f]+) Base Relocation", text, re.M)
    if relocations is None or int(relocations.group(1), 16) == 0:
        wrong.append("it has no relocations, so that it cannot be loaded elsewhere")
    names = sorted(set(re.findall(r"^\s*DLL Name: (\S+)", text, re.M)), key=str.lower)
    if not names:
        wrong.append("it imports nothing, which no program for Windows does")
    wrong += [f"it imports {name}, which tests/windows/system.txt does not know as the system's" for name in names
        if name.lower() not in system]
    return wrong, names


def self_test():
    good = """DllCharacteristics\t00000160
\t\t\t\t\tHIGH_ENTROPY_VA
\t\t\t\t\tDYNAMIC_BASE
\t\t\t\t\tNX_COMPAT
SizeOfStackReserve\t0000000000200000
Entry 5 000000000090c000 0000000000003a2c Base Relocation Directory [.reloc]
\tDLL Name: KERNEL32.dll
\tDLL Name: msvcrt.dll
"""
    system = allowed()
    assert look(good, system) == ([], ["KERNEL32.dll", "msvcrt.dll"]), look(good, system)
    for change, word in (("DLL Name: msvcrt.dll", "DLL Name: libssp-0.dll"), ("NX_COMPAT", ""), ("DYNAMIC_BASE", ""),
            ("HIGH_ENTROPY_VA", ""), ("0000000000003a2c", "0000000000000000"), ("Entry 5", "Entry 6"),
            ("DLL Name", "Name"), ("DllCharacteristics", "Characteristics")):
        assert look(good.replace(change, word), system)[0], change
    print("imports.py refuses what it must")


def main():
    objdump = shutil.which("x86_64-w64-mingw32-objdump") or shutil.which("objdump")
    good = True
    for program in map(pathlib.Path, sys.argv[1:]):
        text = subprocess.run([objdump, "-p", program], stdout=subprocess.PIPE, check=True, text=True).stdout
        wrong, names = look(text, allowed())
        print(f"{program.name}: {program.stat().st_size / 1e6:.2f} MB; imports {' '.join(names)}")
        for what in wrong:
            print(f"{program}: {what}.", file=sys.stderr)
        good = good and not wrong
    sys.exit(0 if good else 1)


self_test() if "--self-test" in sys.argv else main()
