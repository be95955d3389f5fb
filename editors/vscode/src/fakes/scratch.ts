/** Empty folders for the unit tests, which are gone when the tests of a file have ended. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const all = mkdtempSync(join(tmpdir(), "lacuna-"));
process.once("exit", () => {
  rmSync(all, { recursive: true, force: true });
});

export function scratch(): string {
  return mkdtempSync(join(all, "test-"));
}
