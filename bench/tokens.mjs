// SPDX-License-Identifier: Apache-2.0
//
// Token counting beside the npm packages gpt-tokenizer and tiktoken (wasm): each file as one text, one thread, the three in turn,
// medians. Prints rows of a Markdown table.
//
// usage: node bench/tokens.mjs COUNT_TOKENS FOLDER FILE...
//        (COUNT_TOKENS: tests/compare/count_tokens of a release build; FOLDER: where `npm install tiktoken gpt-tokenizer` was run)
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";

const ROUNDS = 7;
const SECONDS = 0.5;

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

// [megabytes a second, tokens]
function ours(program, name, data) {
  const out = execFileSync(program, ["--seconds", String(SECONDS), name], { input: data }).toString();
  const [, rate, tokens] = /([\d.]+) MB\/s (\d+) tokens/.exec(out);
  return [Number(rate), Number(tokens)];
}

function theirs(count, data) {
  const text = data.toString("utf8");
  const start = performance.now();
  let rounds = 0, tokens = 0;
  while (performance.now() - start < SECONDS * 1e3) {
    tokens = count(text);
    rounds++;
  }
  return [(rounds * data.length) / 1e3 / (performance.now() - start), tokens];
}

const [program, folder, ...files] = process.argv.slice(2);
const require = createRequire(join(resolve(folder), "x.js"));
console.log("| text | encoding | MB/s | gpt-tokenizer | ratio | tiktoken (wasm) | ratio |\n| --- | --- | --- | --- | --- | --- | --- |");
for (const name of ["o200k_base", "cl100k_base"]) {
  const tiktoken = require("tiktoken").get_encoding(name), gpt = require(`gpt-tokenizer/encoding/${name}`);
  for (const file of files) {
    const data = readFileSync(file);
    const sides = [() => ours(program, name, data), () => theirs(gpt.countTokens, data),
      () => theirs((text) => tiktoken.encode_ordinary(text).length, data)];
    const runs = Array.from({ length: ROUNDS }, () => sides.map((side) => side()));
    if (new Set(runs.flat().map(([, tokens]) => tokens)).size !== 1) throw new Error(`${file}: counts differ`);
    const [us, js, wasm] = sides.map((_, i) => median(runs.map((run) => run[i][0])));
    console.log(`| ${basename(file)}, ${(data.length / 1e6).toFixed(2)} MB | ${name} | ${us.toFixed(0)} | ${js.toFixed(1)} | ${(us / js).toFixed(1)} | ` +
      `${wasm.toFixed(1)} | ${(us / wasm).toFixed(1)} |`);
  }
}
