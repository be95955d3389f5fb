/** How often a server that died is started again, and how long to wait before it. */

export const MOST_RESTARTS = 5;
const FIRST_WAIT_MS = 500;
const FORGOTTEN_AFTER_MS = 600_000;

export class Restarts {
  private count = 0;
  private diedAt = -Infinity;

  /** Forgets earlier deaths: the user has asked for a fresh start. */
  reset(): void {
    this.count = 0;
  }

  /**
   * The number of the next restart and the wait before it, or undefined when there have been enough.
   *
   * Deaths count together where there are no ten minutes between one and the next. `now` is in ms.
   */
  next(now = Date.now()): { readonly number: number; readonly waitMs: number } | undefined {
    if (now - this.diedAt >= FORGOTTEN_AFTER_MS) {
      this.reset();
    }
    this.diedAt = now;
    if (this.count >= MOST_RESTARTS) {
      return undefined;
    }
    this.count += 1;
    // The first restart is at once; a server that keeps dying gets more time to come to rest.
    const waitMs = this.count === 1 ? 0 : FIRST_WAIT_MS * 2 ** (this.count - 2);
    return { number: this.count, waitMs };
  }
}
