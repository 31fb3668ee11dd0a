interface Pending<Asked, Answer> {
  readonly asked: Asked;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Answers together what is asked while others are being answered: one transaction and a handful of
 * statements for all of them. Two of the same key are not answered together.
 */
export class Batches<Asked, Answer> {
  private pending: Pending<Asked, Answer>[] = [];
  private running = false;

  constructor(
    private readonly options: {
      /** Answers of one batch, in its order. An `Error` is for the one who asked; a throw, for all. */
      readonly answer: (batch: readonly Asked[]) => Promise<readonly (Answer | Error)[]>;
      readonly keyOf: (asked: Asked) => string;
      readonly sizeMax: number;
    },
  ) {}

  ask(asked: Asked): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.pending.push({ asked, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    // Whatever else is asked in this turn of the event loop comes along.
    await Promise.resolve();
    while (this.pending.length > 0) {
      const batch = this.nextBatch();
      try {
        const answers = await this.options.answer(batch.map(({ asked }) => asked));
        for (const [index, { resolve, reject }] of batch.entries()) {
          const answer = answers[index]!;
          if (answer instanceof Error) reject(answer);
          else resolve(answer);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.running = false;
  }

  private nextBatch(): Pending<Asked, Answer>[] {
    const { keyOf, sizeMax } = this.options;
    const batch = new Map<string, Pending<Asked, Answer>>();
    const later: Pending<Asked, Answer>[] = [];
    for (const one of this.pending) {
      const key = keyOf(one.asked);
      if (batch.size < sizeMax && !batch.has(key)) batch.set(key, one);
      else later.push(one);
    }
    this.pending = later;
    return [...batch.values()];
  }
}
