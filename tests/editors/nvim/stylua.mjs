// StyLua over Lua files with the options of editors/nvim/stylua.toml. Its npm package of native
// binaries fetches them from elsewhere; the WebAssembly build is complete in itself, but has no
// command line. Prints what is not formatted; the exit code is 1 when something was not.
//
//   node stylua.mjs PACKAGE STYLUA_TOML [--write] FILE...
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [packageFolder, optionsPath, ...rest] = process.argv.slice(2);
const stylua = await import(pathToFileURL(`${packageFolder}/stylua_lib_node.mjs`).href);
const write = rest.includes('--write');
const enums = {
  line_endings: stylua.LineEndings,
  indent_type: stylua.IndentType,
  quote_style: stylua.QuoteStyle,
  call_parentheses: stylua.CallParenType,
};

function options() {
  const config = stylua.Config.new();
  config.syntax = stylua.LuaVersion.LuaJIT;
  const toml = readFileSync(optionsPath, 'utf8');
  for (const [, key, value] of toml.matchAll(/^(\w+) = "?(\w+)"?$/gm)) {
    const known = enums[key] ? enums[key][value] : Number(value);
    if (known === undefined || Number.isNaN(known) || !(key in config)) {
      throw new Error(`${optionsPath}: ${key} = ${value} is not an option of StyLua`);
    }
    config[key] = known;
  }
  return config;
}

let unformatted = 0;
for (const path of rest.filter((word) => word !== '--write')) {
  const before = readFileSync(path, 'utf8');
  const after = stylua.formatCode(before, options(), undefined, stylua.OutputVerification.Full);
  if (after !== before) {
    unformatted += 1;
    console.log(path);
    if (write) writeFileSync(path, after);
  }
}
process.exit(unformatted && !write ? 1 : 0);
