/** How the status bar says what Lacuna is doing. */

import type { Status } from "./protocol";

export interface StatusLook {
  readonly text: string;
  readonly tooltip: string;
  readonly severity: "normal" | "error";
}

const ICONS: Record<Status["state"], string> = {
  loading: "$(loading~spin)",
  ready: "$(pass)",
  computing: "$(ellipsis)",
  off: "$(circle-slash)",
  error: "$(error)",
};

const WORDS: Record<Status["state"], string> = {
  loading: "is loading",
  ready: "is ready",
  computing: "is computing",
  off: "is off",
  error: "has a problem",
};

/** `paused` says where Lacuna is paused, as "for python" or "everywhere"; it outranks all but an error. */
export function statusLook(status: Status, paused: string | undefined): StatusLook {
  if (paused !== undefined && status.state !== "error") {
    const tooltip = `Lacuna is paused ${paused}. Click to resume.`;
    return { text: `${ICONS.off} Lacuna`, tooltip, severity: "normal" };
  }
  const words = [ICONS[status.state], "Lacuna"];
  const working = status.state === "ready" || status.state === "computing";
  if (working && typeof status.latencyMs === "number") {
    words.push(`${Math.round(status.latencyMs)} ms`);
  }
  const severity = status.state === "error" ? "error" : "normal";
  return { text: words.join(" "), tooltip: `Lacuna ${WORDS[status.state]}: ${status.message}`, severity };
}
