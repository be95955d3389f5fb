// Bundles the extension and its webview's script into dist/, or the unit tests into out/ (--tests).
import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const production = process.argv.includes("--production");
const shared = { bundle: true, minify: production, sourcemap: !production, logLevel: "warning" };
const node = { ...shared, platform: "node", format: "cjs", target: "node20", external: ["vscode"] };

if (process.argv.includes("--tests")) {
  rmSync("out", { recursive: true, force: true });
  const tests = readdirSync("src").filter((name) => name.endsWith(".test.ts"));
  await build({ ...node, entryPoints: tests.map((name) => `src/${name}`), outdir: "out" });
} else {
  rmSync("dist", { recursive: true, force: true });
  await build({ ...node, entryPoints: ["src/extension.ts"], outdir: "dist" });
  const page = { ...shared, platform: "browser", format: "iife", target: "es2022" };
  await build({ ...page, entryPoints: ["src/webview/denoising.ts"], outdir: "dist" });
  // The package carries the repository's licence.
  copyFileSync("../../LICENSE", "LICENSE");
}
