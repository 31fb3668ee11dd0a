/** What a session has moved so far, for reports to the job manager. */
export interface SessionProgress {
  /** Archive bytes. */
  readonly archiveBytes: number;
  /** Bytes written to or read from the medium. */
  readonly storedBytes: number;
  /** Fragments that are sealed (when writing) or were touched (when reading). */
  readonly fragments: number;
  /** Times that the medium had to wait for data of the network. */
  readonly waitsForFullBuffer: number;
  /** Times that the network had to wait for the medium. */
  readonly waitsForEmptyBuffer: number;
}

const PROGRESS_EVERY_MS = 500;

/** Calls back with the newest progress, at most every 500 ms, and once at the end. */
export class ProgressMeter {
  private timer: NodeJS.Timeout | undefined;
  private changed = false;

  constructor(
    private readonly measure: () => SessionProgress,
    private readonly report: (progress: SessionProgress) => void,
  ) {}

  /** Something moved. */
  touch(): void {
    this.changed = true;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.flush();
    }, PROGRESS_EVERY_MS);
  }

  /** Reports what has not been reported yet; nothing more comes. */
  end(): void {
    clearTimeout(this.timer);
    this.flush();
  }

  private flush(): void {
    if (!this.changed) return;
    this.changed = false;
    this.report(this.measure());
  }
}
