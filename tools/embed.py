#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns files into a C source that holds their bytes.

usage: embed.py SYMBOL OUT.c FILE...
       embed.py SYMBOL OUT.S FILE

Defines `const struct embedded_file SYMBOL[]`, in the order given, ended by a row whose name is NULL; a row's
name is the file's base name (core/embed.h).

For one large file, which a compiler would chew on for long, OUT.S is a source for the assembler, which takes the bytes
from where they are. They stand between SYMBOL and SYMBOL_end, at a multiple of 64.
"""
import os
import sys


INCLUDE = """    .section precis_data, "a", %progbits
    .balign 64
    .hidden {symbol}
    .globl {symbol}
    .type {symbol}, %object
{symbol}:
    .incbin "{path}"
    .size {symbol}, . - {symbol}
    .hidden {symbol}_end
    .globl {symbol}_end
{symbol}_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
"""


def main():
    symbol, out, *paths = sys.argv[1:]
    if out.endswith(".S"):
        with open(out, "w", encoding="utf-8") as file:
            file.write(INCLUDE.format(symbol=symbol, path=os.path.abspath(paths[0])))
        return
    lines = ['#include "core/embed.h"', "", f"extern const struct embedded_file {symbol}[];", ""]
    rows = []
    for number, path in enumerate(paths):
        with open(path, "rb") as file:
            data = file.read()
        lines.append(f"static const unsigned char file_{number}[] = {{")
        for start in range(0, len(data), 24):
            lines.append("    " + "".join(f"{byte}," for byte in data[start:start + 24]))
        lines.append("    0};")
        rows.append(f'    {{"{os.path.basename(path)}", file_{number}, {len(data)}}},')
    lines += ["", f"const struct embedded_file {symbol}[] = {{", *rows, "    {0, 0, 0}};", ""]
    with open(out, "w", encoding="ascii") as file:
        file.write("\n".join(lines))


main()
