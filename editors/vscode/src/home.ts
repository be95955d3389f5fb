/** No shell reads the settings, so a `~` that a path begins with is made the user's home here. */

import { homedir } from "node:os";

export function fromHome(path: string): string {
  return path.replace(/^~(?=[/\\])/, () => homedir());
}
