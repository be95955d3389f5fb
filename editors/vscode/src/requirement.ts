/** What the user asks to install, as words for pip: a requirement, a path, or `-e` and the path of a checkout. */

import { fromHome } from "./home";

export function pipWords(requirement: string): readonly string[] {
  const checkout = /^(?:-e|--editable)\s+(.+)$/.exec(requirement)?.[1];
  return checkout === undefined ? [fromHome(requirement)] : ["--editable", fromHome(checkout)];
}
