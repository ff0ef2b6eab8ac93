// SPDX-License-Identifier: Apache-2.0
//
// Makes data/tokens/ from the npm package tiktoken: run once, by hand, when an encoding is added.
//
// usage: node tools/make_vocab.mjs FOLDER OUT      (FOLDER: where `npm install tiktoken@1.0.22` was run; OUT: data/tokens)
//
// NAME.vocab   256 bytes, those of the tokens 0..255; then for each token from 256 on the two tokens that its last merge
//              joins, as LEB128 numbers. A token's number is its rank.
// chars.kinds  the kinds of all code points from 0 on, as runs: LEB128 of (length << 3 | kind); asked of the package's own
//              regular expressions, so that its version of Unicode is ours.
// SHA256SUMS   of these files
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const SOURCES = {
  cl100k_base: "49a4e05dea02c8fafbd50cc4725c4aab8f39386c0afedef118e0dfebc2fe523a",
  o200k_base: "df53e1a5f146e33a1b144d12ad9d685ee1b54dbc8b0950791ed45c933b119dc1",
};

// In the order of enum token_char (src/text/bpe.h); what no pattern matches is 0, other.
const KINDS = ["[^\\s\\S]", "[\\s--[\\r\\n]]", "[\\r\\n]", "\\p{N}", "[\\p{Lu}\\p{Lt}]", "\\p{Ll}", "[\\p{Lm}\\p{Lo}]", "\\p{M}"];

const sha256 = (data) => createHash("sha256").update(data).digest("hex");

function leb128(out, value) {
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  out.push(value);
}

// Byte strings in order of rank; a line of the package's list is "! FIRST_RANK TOKEN TOKEN ...", in base 64.
function readRanks(list) {
  const tokens = [];
  for (const line of list.split("\n").filter(Boolean)) {
    const [, first, ...rest] = line.split(" ");
    if (Number(first) !== tokens.length) throw new Error(`ranks are not contiguous at ${first}`);
    for (const token of rest) tokens.push(Buffer.from(token, "base64").toString("latin1"));
  }
  return tokens;
}

// The parts into which merges lead, lowest rank first and leftmost among equals, up to but without `end`.
function mergeBelow(ranks, bytes, end) {
  const parts = [...bytes];
  for (;;) {
    let best = end, at = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = ranks.get(parts[i] + parts[i + 1]);
      if (rank !== undefined && rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return parts;
    parts.splice(at, 2, parts[at] + parts[at + 1]);
  }
}

function makeVocab(tokens) {
  const ranks = new Map(tokens.map((token, rank) => [token, rank]));
  if (ranks.size !== tokens.length) throw new Error("a token stands twice");
  const out = [];
  tokens.forEach((token, rank) => {
    if (rank < 256) {
      if (token.length !== 1) throw new Error(`token ${rank} is not one byte`);
      out.push(token.charCodeAt(0));
      return;
    }
    const parts = mergeBelow(ranks, token, rank);
    if (parts.length !== 2) throw new Error(`token ${rank} is not reached by merges`);
    for (const part of parts) {
      if (!(ranks.get(part) < rank)) throw new Error(`token ${rank} is made of a later one`);
      leb128(out, ranks.get(part));
    }
  });
  return Buffer.from(out);
}

// The package drops what its pattern does not match: so a pattern for one kind, over all characters, lists that kind.
function makeKinds(Tiktoken, bpeRanks) {
  const kinds = new Uint8Array(0x110000);
  let all = "";
  for (let c = 0; c < 0x110000; c++) if (c < 0xd800 || c > 0xdfff) all += String.fromCodePoint(c);
  KINDS.forEach((pattern, kind) => {
    if (kind === 0) return;
    const encoding = new Tiktoken(bpeRanks, {}, pattern);
    const text = new TextDecoder().decode(encoding.decode(encoding.encode_ordinary(all)));
    encoding.free();
    for (const char of text) {
      if (kinds[char.codePointAt(0)]) throw new Error(`${char.codePointAt(0)} is of two kinds`);
      kinds[char.codePointAt(0)] = kind;
    }
  });
  const out = [];
  for (let start = 0, end = 0; start < kinds.length; start = end) {
    while (end < kinds.length && kinds[end] === kinds[start]) end++;
    leb128(out, (end - start) * 8 + kinds[start]);
  }
  return Buffer.from(out);
}

function main(folder, out) {
  const require = createRequire(join(resolve(folder), "x.js"));
  const { Tiktoken } = require("tiktoken");
  const files = {};
  for (const [name, hash] of Object.entries(SOURCES)) {
    const source = readFileSync(require.resolve(`tiktoken/encoders/${name}.json`));
    if (sha256(source) !== hash) throw new Error(`${name}.json is not the file this script knows`);
    const { bpe_ranks: bpeRanks } = JSON.parse(source);
    files[`${name}.vocab`] = makeVocab(readRanks(bpeRanks));
    files["chars.kinds"] ??= makeKinds(Tiktoken, bpeRanks);
  }
  const sums = Object.keys(files).sort().map((name) => `${sha256(files[name])}  ${name}\n`);
  for (const [name, data] of Object.entries(files)) writeFileSync(join(out, name), data);
  writeFileSync(join(out, "SHA256SUMS"), sums.join(""));
}

main(process.argv[2], process.argv[3]);
