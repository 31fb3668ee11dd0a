/** One copy of one image. */
export interface CopyName {
  readonly imageId: string;
  readonly copy: number;
}

/** A task that runs or waits for its connection. */
export interface RunningTask {
  /** Resolves when nothing of it runs any more. */
  readonly end: Promise<void>;
  /** What it writes, if it writes. */
  readonly writes?: CopyName;
  /** The attempt is over: stops what runs and forgets the tokens. */
  cancel(): void;
}
