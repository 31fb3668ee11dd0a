/** After a failure of a writer nobody knows what reached the disk, so the first one stays. */
export class FirstFailure {
  private failure: Error | undefined;

  /** @param meaning What an error of `work` is thrown as. */
  constructor(private readonly meaning = (error: unknown) => error as Error) {}

  /** Throws what `work` failed with, or an earlier one: then it is not begun. */
  async attempt(work: () => Promise<void>): Promise<void> {
    if (this.failure) throw this.failure;
    try {
      await work();
    } catch (error) {
      this.failure = this.meaning(error);
      throw this.failure;
    }
  }
}
