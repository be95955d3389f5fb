/** Notices that something which moves has come to rest. */

export class Rest {
  private timer: NodeJS.Timeout | undefined;

  /** Calls `rested` once, when nothing has moved for `ms`. */
  constructor(
    private readonly ms: number,
    private readonly rested: () => void,
  ) {}

  moved(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.rested, this.ms);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}
