import { describe, expect, it } from '@jest/globals';
import { Batches } from './batches.js';

/** Answers when it is told to, and remembers what was asked together. */
class Recorder {
  readonly batches: string[][] = [];
  private finish: (() => void)[] = [];
  readonly asking = new Batches<string, string>({
    answer: (batch) => this.answer(batch),
    keyOf: (text) => text[0]!,
    sizeMax: 3,
  });

  /** Ends the batch that is being answered, and lets the next one begin. */
  async next(): Promise<void> {
    while (this.finish.length === 0) await Promise.resolve();
    this.finish.shift()!();
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  }

  private async answer(batch: readonly string[]): Promise<(string | Error)[]> {
    this.batches.push([...batch]);
    await new Promise<void>((resolve) => this.finish.push(resolve));
    if (batch.includes('crash')) throw new Error('the database is away');
    return batch.map((one) => (one === 'wrong' ? new Error('refused') : one.toUpperCase()));
  }
}

describe('what is asked while others are answered', () => {
  it('is answered together, in its order, up to a size', async () => {
    const recorder = new Recorder();
    const answers = Promise.all(['a', 'b'].map((one) => recorder.asking.ask(one)));
    await Promise.resolve();
    const later = Promise.all(['c', 'd', 'e', 'f'].map((one) => recorder.asking.ask(one)));
    for (let batch = 0; batch < 3; batch += 1) await recorder.next();
    expect(await answers).toEqual(['A', 'B']);
    expect(await later).toEqual(['C', 'D', 'E', 'F']);
    expect(recorder.batches).toEqual([['a', 'b'], ['c', 'd', 'e'], ['f']]);
  });

  it('is never answered together with another one of its key', async () => {
    const recorder = new Recorder();
    const answers = Promise.all(['a1', 'a2', 'b'].map((one) => recorder.asking.ask(one)));
    await recorder.next();
    await recorder.next();
    expect(await answers).toEqual(['A1', 'A2', 'B']);
    expect(recorder.batches).toEqual([['a1', 'b'], ['a2']]);
  });

  it('fails alone where it is refused, and with all others where the whole batch fails', async () => {
    const recorder = new Recorder();
    const asked = ['ok', 'wrong'].map((one) => recorder.asking.ask(one));
    const settled = Promise.allSettled(asked);
    await recorder.next();
    expect((await settled).map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    const together = Promise.allSettled(['x', 'crash'].map((one) => recorder.asking.ask(one)));
    await recorder.next();
    expect((await together).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const after = recorder.asking.ask('y');
    await recorder.next();
    expect(await after).toBe('Y');
  });
});
