/** A task that runs or waits for its connection. */
export interface RunningTask {
  readonly end: Promise<void>;
  /** The attempt is over: stops what runs and forgets the tokens. */
  cancel(): void;
}
