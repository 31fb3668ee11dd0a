import { VolumeFull } from './errors.js';

/** Bytes after which the volume is measured again: others may write to it too. */
const MEASURE_EVERY_BYTES = 64 * 1024 * 1024;

/**
 * Keeps a reserve of a volume free. It counts down from the last measurement and measures again
 * before it refuses, so a write costs a system call only now and then.
 */
export class SpaceGate {
  private estimate = 0;
  private sinceMeasured = Infinity;

  constructor(
    private readonly where: string,
    private readonly measure: () => Promise<number>,
    private readonly reserveBytes: number,
  ) {}

  /** Takes room for a write. Throws `VolumeFull` if only the reserve is left. */
  async take(bytes: number): Promise<void> {
    const stale = this.sinceMeasured >= MEASURE_EVERY_BYTES;
    if (stale || this.estimate - bytes < this.reserveBytes) {
      this.estimate = await this.measure();
      this.sinceMeasured = 0;
    }
    if (this.estimate - bytes < this.reserveBytes) throw new VolumeFull(this.where);
    this.estimate -= bytes;
    this.sinceMeasured += bytes;
  }

  /** Bytes that may be written now. */
  async freeBytes(): Promise<number> {
    return Math.max(0, (await this.measure()) - this.reserveBytes);
  }
}
