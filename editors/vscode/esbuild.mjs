// Bundles the extension and its webview's script into dist/, or the unit tests into out/ (--tests).
import { copyFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const production = process.argv.includes("--production");
const shared = { bundle: true, minify: production, sourcemap: !production, logLevel: "warning" };
const node = { ...shared, platform: "node", format: "cjs", target: "node20" };

if (process.argv.includes("--tests")) {
  rmSync("out", { recursive: true, force: true });
  const tests = readdirSync("src").filter((name) => name.endsWith(".test.ts"));
  const alias = { vscode: "./src/fakes/vscode.ts" };
  await build({ ...node, entryPoints: tests.map((name) => `src/${name}`), outdir: "out", alias });
} else {
  rmSync("dist", { recursive: true, force: true });
  const entryPoints = ["src/extension.ts"];
  const { metafile } = await build({ ...node, entryPoints, outdir: "dist", metafile: true, external: ["vscode"] });
  const page = { ...shared, platform: "browser", format: "iife", target: "es2022" };
  await build({ ...page, entryPoints: ["src/webview/denoising.ts"], outdir: "dist" });
  // The package carries the repository's licence.
  copyFileSync("../../LICENSE", "LICENSE");
  writeFileSync("dist/third-party-licences.txt", licences(Object.keys(metafile.inputs)));
}

/** The licence texts of the packages whose files went into the bundle. */
function licences(inputs) {
  const packages = inputs.map((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  const texts = [...new Set(packages.filter(Boolean))].sort().map((folder) => {
    const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
    if (file === undefined) {
      throw new Error(`${folder} goes into the bundle but has no licence file`);
    }
    return `${folder.slice("node_modules/".length)}\n\n${readFileSync(`${folder}/${file}`, "utf8")}`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}
