// SPDX-License-Identifier: Apache-2.0
//
// Counts of cl100k_base and o200k_base against the npm packages tiktoken (the reference) and gpt-tokenizer, over text that is
// on the machine and text made here, some of it not UTF-8. Needs node, npm and its registry; takes some minutes.
//
// usage: node tests/compare/tokens.mjs COUNT_TOKENS [--megabytes N] [--seed N] [--packages FOLDER]
//        (COUNT_TOKENS: build/.../tests/compare/count_tokens; FOLDER: where the packages are, installed there when they are not)
//        node tests/compare/tokens.mjs --cases [--packages FOLDER] > tests/unit/text/token_cases.txt
//
// gpt-tokenizer is not asked about texts with U+FEFF, which JavaScript takes for white space and the reference does not.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { gunzipSync } from "node:zlib";

const ENCODINGS = ["cl100k_base", "o200k_base"];
const REAL_TEXT = ["/usr/share", "/usr/include", "/usr/lib/python3", "/usr/lib/node_modules", "/usr/local/lib", "/etc"];
const MAX_FILE_BYTES = 4e6;

/* ---- what is random, from a seed ------------------------------------------------------------------------------------------ */

let state = 1;
function random(n) { // xorshift32
  state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
  return (state >>> 0) % n;
}
const pick = (list) => list[random(list.length)];
const times = (n, make) => Array.from({ length: n }, make);

/* ---- texts ---------------------------------------------------------------------------------------------------------------- */

const RANGES = [ // first and last of scripts and of what is odd
  [0x00, 0x7f], [0x20, 0x7e], [0x80, 0xff], [0x100, 0x24f], [0x2b0, 0x36f], [0x370, 0x3ff], [0x400, 0x52f], [0x531, 0x58f],
  [0x590, 0x5ff], [0x600, 0x6ff], [0x900, 0x97f], [0x980, 0x9ff], [0xb80, 0xbff], [0xe00, 0xe7f], [0xf00, 0xfff],
  [0x10a0, 0x10ff], [0x1100, 0x11ff], [0x1780, 0x17ff], [0x1e00, 0x1fff], [0x2000, 0x206f], [0x20a0, 0x2bff], [0x2c00, 0x2fff],
  [0x3000, 0x30ff], [0x3100, 0x33ff], [0x4e00, 0x9fff], [0xa640, 0xabff], [0xac00, 0xd7a3], [0xe000, 0xe0ff], [0xfb00, 0xfdff],
  [0xfe00, 0xffff], [0x10000, 0x103ff], [0x10400, 0x107ff], [0x11000, 0x11fff], [0x16a00, 0x16fff], [0x1d400, 0x1d7ff],
  [0x1e900, 0x1e95f], [0x1f1e6, 0x1f1ff], [0x1f300, 0x1faff], [0x20000, 0x2a6df], [0xe0000, 0xe01ef], [0x0, 0x10ffff],
];
const SPACES = [" ", " ", " ", "  ", "\n", "\r\n", "\r", "\t", "\v", "\f", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029",
  "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff"];
const ENDINGS = ["'s", "'S", "'\u017f", "'t", "'T", "'re", "'RE", "'rE", "'ve", "'Ve", "'m", "'ll", "'lL", "'d", "'D", "'", "''s", "\u2019s", "'r", "'l", "'v", "'x"];
const PIECES = ["/", "//", "\n/", "/\r\n/", "...", "---", "_", "$", "\u0301", "\u0e31", "\u20dd", "\u01c5", "\u02b0", "\u00aa", "\u00df", "\u0130", "A", "B", "z", "a",
  "中", "の", "한", "א", "ا", "ก", "👩‍👩‍👧", "🏳️‍🌈", "🇩🇪", "1", "12", "1234567", "٣", "५", "Ⅷ", "²", "<|endoftext|>", "<|fim_prefix|>"];

function character() {
  const [first, last] = pick(RANGES);
  const c = first + random(last - first + 1);
  return c >= 0xd800 && c <= 0xdfff ? "?" : String.fromCodePoint(c);
}
const scriptWord = () => {
  const [first, last] = pick(RANGES.slice(1, -1));
  return times(1 + random(12), () => String.fromCodePoint(first + random(last - first + 1))).join("");
};
const atom = () => pick([() => pick(SPACES), () => pick(ENDINGS), () => pick(PIECES), character, scriptWord,
  () => String(random(10 ** (1 + random(9)))), () => pick(SPACES).repeat(1 + random(9))])();

const MAKERS = {
  soup: () => times(1 + random(400), character).join(""),
  atoms: () => times(1 + random(300), atom).join(""),
  words: () => times(1 + random(200), () => scriptWord() + pick(["", " ", " ", ...ENDINGS])).join(""),
  repetition: () => times(1 + random(4), () => times(1 + random(4), atom).join("").repeat(1 + random(150))).join(""),
  runs: () => times(1 + random(6), () => pick([" ", "\n", "a", "A", "=", "-", "0", "ab", "Ab", "aaab", "\t", "\r\n", "é", "中", "مر", "🙂", "\u0301"])
    .repeat(1 + random(random(8) ? 60 : 1500))).join(pick(["", " ", "x", "\n"])),
  tokens: (_, vocab) => Buffer.concat(times(1 + random(200), () => pick(vocab))),
  bytes: () => Buffer.from(times(1 + random(300), () => random(256))),
  broken: (real) => { // real text with bytes changed, left out or doubled
    const text = Buffer.from(real());
    for (let n = 1 + random(20); text.length && n > 0; n--) text[random(text.length)] = random(3) ? 128 + random(128) : random(128);
    return text;
  },
  camel: (real) => Buffer.from(real().toString("utf8").replace(/[a-z]/g, (c) => (random(3) ? c : c.toUpperCase()))),
  glued: (real) => Buffer.from(real().toString("utf8").replace(/\s+/g, () => (random(20) ? "" : " ")).slice(0, 1500)),
};

function* realFiles(folders) {
  for (const folder of folders) {
    let entries = [];
    try { entries = readdirSync(folder, { withFileTypes: true }); } catch { continue; }
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) yield* realFiles([path]);
      else if (entry.isFile()) yield path;
    }
  }
}

function readText(path) {
  try {
    if (statSync(path).size > MAX_FILE_BYTES) return null;
    const data = readFileSync(path);
    const text = path.endsWith(".gz") ? gunzipSync(data) : data;
    return text.subarray(0, 2000).includes(0) || text.length < 50 ? null : text;
  } catch { return null; }
}

// Slices of files, of any length, cut anywhere: also inside characters. Files are taken across the tree, not in its order.
function realTexts() {
  const files = [...realFiles(REAL_TEXT)].sort();
  for (let i = files.length - 1; i > 0; i--) { const j = random(i + 1); [files[i], files[j]] = [files[j], files[i]]; }
  let next = 0, text = Buffer.alloc(0), pos = 0;
  return () => {
    while (pos >= text.length) {
      text = readText(files[next++ % files.length]) ?? Buffer.alloc(0);
      pos = 0;
    }
    const slice = text.subarray(pos, pos + 200 + random(8000));
    pos += slice.length;
    return slice;
  };
}

/* ---- both sides ----------------------------------------------------------------------------------------------------------- */

function packages(folder) {
  if (!existsSync(join(folder, "node_modules", "tiktoken")))
    execFileSync("npm", ["install", "--silent", "--prefix", folder, "tiktoken@1.0.22", "gpt-tokenizer@4.0.0"], { stdio: "inherit" });
  const require = createRequire(join(folder, "x.js"));
  return ENCODINGS.map((name) => ({
    name, tiktoken: require("tiktoken").get_encoding(name), gpt: require(`gpt-tokenizer/encoding/${name}`),
    vocab: require(`tiktoken/encoders/${name}.json`).bpe_ranks.split(" ").slice(2).map((token) => Buffer.from(token, "base64")),
  }));
}

async function compare(counter, encodings, megabytes) {
  const real = realTexts(), makers = Object.keys(MAKERS);
  const lines = createInterface({ input: counter.stdout })[Symbol.asyncIterator]();
  const sums = { texts: 0, bytes: 0, real: 0, wrong: 0, wrongGpt: 0, malformed: 0 };
  while (sums.bytes < megabytes * 1e6) {
    const batch = times(200, () => {
      const kind = random(2) ? "real" : pick(makers);
      const text = Buffer.from(kind === "real" ? real() : MAKERS[kind](real, pick(encodings).vocab));
      return { kind, text };
    });
    for (const { text } of batch) {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(text.length);
      counter.stdin.write(Buffer.concat([head, text]));
    }
    for (const { kind, text } of batch) {
      const counts = (await lines.next()).value.split(" ").map(Number);
      const string = text.toString("utf8");
      sums.texts++; sums.bytes += text.length; sums.real += kind === "real" ? text.length : 0;
      sums.malformed += Buffer.from(string).equals(text) ? 0 : 1;
      encodings.forEach((encoding, i) => {
        const expected = encoding.tiktoken.encode_ordinary(string).length;
        if (expected !== counts[i]) {
          if (sums.wrong++ < 20) console.log(`${encoding.name} ${kind}: ${counts[i]}, tiktoken ${expected}: ${JSON.stringify(string.slice(0, 300))}`);
        } else if (!string.includes("\ufeff") && encoding.gpt.encode(string, { disallowedSpecial: new Set() }).length !== expected) {
          if (sums.wrongGpt++ < 20) console.log(`${encoding.name} ${kind}: gpt-tokenizer differs from tiktoken: ${JSON.stringify(string.slice(0, 300))}`);
        }
      });
    }
    if (sums.texts % 10000 === 0) console.log(`${(sums.bytes / 1e6).toFixed(0)} MB ...`);
  }
  return sums;
}

/* ---- texts kept for the unit test ----------------------------------------------------------------------------------------- */

const KEPT = [
  "", "a", " ", "\n", "Hello, world!", "The quick brown fox jumps over the lazy dog.", "don't DON'T Don'T we'll WE'LL they're I'M he'd it's IT'S",
  "don'\u017ft x'\u017fy '\u017ftr", "'s's's 'S'S ''ll'll", "naïve café Ångström STRASSE straße ǅungla", "XMLHttpRequest fromCodePoint iOSApp ABCdefGHI",
  "Zażółć gęślą jaźń. Příliš žluťoučký kůň.", "Съешь же ещё этих мягких французских булок", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
  "我能吞下玻璃而不伤身体。", "私はガラスを食べられます。それは私を傷つけません。", "나는 유리를 먹을 수 있어요. 그래도 아프지 않아요", "中A文b中AB中ABC中1",
  "أنا قادر على أكل الزجاج و هذا لا يؤلمني.", "אני יכול לאכול זכוכית וזה לא מזיק לי.", "मैं काँच खा सकता हूँ और मुझे उससे कोई चोट नहीं पहुंचती.", "ฉันกินกระจกได้ แต่มันไม่ทำให้ฉันเจ็บ",
  "👩‍👩‍👧‍👦🏳️‍🌈👍🏽🇩🇪🇫🇷☺️", "e\u0301 E\u0301A \u0301A \u0301a .\u0301b \u0301\u0301.", "\u0301ABC1 \u0301abc ,\u0301ABC", "1 12 123 1234 12345 1234567890 ٣٤٥٦٧ १२३४ Ⅷ²½",
  "a\n  ", "a \n\n \tb", "  a   b\t\tc \r\n\r\n d  ", " \u00a0\u2003x\u3000\u3000y \u0085z \u200b \ufeff ", "\ufeffa", "\r\r\n\n\r x", "x\n/y\n//z\n\n/ -/\n/a",
  "path/to/file.c:12: error: expected ';' before '}' token", "if (a[i] != NULL && *p++ == '\\0') { return -1; }\n\tfor (;;)\n", "<|endoftext|> <|fim_prefix|>a<|endofprompt|>",
  "\u0000\u0001\u0002\u001b[31m\u007f\u0080\u009f", "\ufffd\ufffe\uffff\u{10ffff}\u{e0041}", "https://example.org/a?b=c&d=%20#e_f-g", "______ ====== ------ ...... !!!??? $$$ \"\"\" ```",
  "a".repeat(1500), " ".repeat(1300) + "x", "\n".repeat(300), "=".repeat(2000), "ab".repeat(900), "中文".repeat(300), "A".repeat(1025), "aA".repeat(700), "0".repeat(50), "🙂".repeat(400),
];
const KEPT_BYTES = ["ff", "fffe", "c3", "c328", "e282", "e28261", "f09f98", "f09f9861", "f0808080", "eda080", "f5808080", "c0af", "61ff62", "20ff", "ffff0a", "80bf80", "e0a0", "f48fbf",
  "f4908080", "edbfbf", "6120e2826120", "27ff73", "31ff32", "efbfbdff", "e4b8adffe69687", "ff".repeat(1100), "61".repeat(1100) + "ff", "c3".repeat(300) + "a9"];

function printCases(encodings) {
  const cases = [...KEPT.map((text) => Buffer.from(text)), ...KEPT_BYTES.map((hex) => Buffer.from(hex, "hex"))];
  for (const kind of Object.keys(MAKERS).filter((name) => MAKERS[name].length !== 1)) // those that need no files
    for (let n = 0; n < 30; n++) cases.push(Buffer.from(MAKERS[kind](null, pick(encodings).vocab)).subarray(0, 240));
  for (const text of cases)
    console.log([...encodings.map(({ tiktoken }) => tiktoken.encode_ordinary(text.toString("utf8")).length), text.toString("hex")].join(" "));
}

async function main(program, options) {
  state = Number(options["--seed"] ?? 1);
  const encodings = packages(options["--packages"] ? resolve(options["--packages"]) : mkdtempSync(join(tmpdir(), "tokens-")));
  if (program === "--cases") return printCases(encodings);
  const counter = spawn(program, ENCODINGS, { stdio: ["pipe", "pipe", "inherit"] });
  const sums = await compare(counter, encodings, Number(options["--megabytes"] ?? 100));
  counter.stdin.end();
  console.log(`${sums.texts} texts, ${(sums.bytes / 1e6).toFixed(1)} MB (${(sums.real / 1e6).toFixed(1)} MB as found), ${sums.malformed} of them not UTF-8: ` +
    `${sums.wrong} counts differ from tiktoken; in ${sums.wrongGpt} gpt-tokenizer does`);
  process.exit(sums.wrong ? 1 : 0);
}

const [program, ...rest] = process.argv.slice(2);
const options = {};
for (let i = 0; i + 1 < rest.length; i += 2) options[rest[i]] = rest[i + 1];
await main(program, options);
