/** What the user asks to install, as words for pip: a requirement, a path, or `-e` and the path of a checkout. */

import { fromHome } from "./home";

/** What `pip install` is given, one run after the other. */
export function pipRuns(requirement: string): readonly (readonly string[])[] {
  const words = pipWords(requirement);
  const upgrade = ["--upgrade", ...words];
  // Of a wheel whose version is installed already pip only adds what it needs, though it was built from changed code.
  return /\.whl(?:\[.*\])?$/i.test(requirement) ? [upgrade, ["--force-reinstall", "--no-deps", ...words]] : [upgrade];
}

export function pipWords(requirement: string): readonly string[] {
  const checkout = /^(?:-e|--editable)\s+(.+)$/.exec(requirement)?.[1];
  return checkout === undefined ? [fromHome(requirement)] : ["--editable", fromHome(checkout)];
}
