/** How long to wait after a key before asking, learned from the typist's own rhythm. */

const REMEMBERED = 12;
/** A longer gap is a pause for thought, not a rhythm. */
const PAUSE_MS = 1000;
const UNKNOWN_MS = 120;
const SHORTEST_MS = 50;
const LONGEST_MS = 300;
/** A little more than one usual gap: by then the next key would have come, had there been one. */
const PATIENCE = 1.3;

export class Pace {
  private readonly gaps: number[] = [];
  private last: number | undefined;

  /** Notes a key at `now` (ms on any steady clock). */
  typed(now: number): void {
    const gap = this.last === undefined ? Infinity : now - this.last;
    this.last = now;
    if (gap <= PAUSE_MS) {
      this.gaps.push(gap);
      this.gaps.splice(0, this.gaps.length - REMEMBERED);
    }
  }

  /** The wait in ms before a request is worth its heat. */
  get waitMs(): number {
    const usual = median(this.gaps);
    const wait = usual === undefined ? UNKNOWN_MS : PATIENCE * usual;
    return Math.min(Math.max(wait, SHORTEST_MS), LONGEST_MS);
  }
}

function median(numbers: readonly number[]): number | undefined {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
