import type { TaskResult } from '#contracts/job.js';
import type { MediaTask } from '#contracts/task.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { refusal } from '../../../../apps/media/src/domain/refusal.js';
import { checkFinish } from '../../../../apps/media/src/domain/write-rules.js';
import type { FragmentContent } from './fragment-writer.js';
import type { MediaContext } from './media-context.js';
import type { DataCall, Session } from './data-call.js';

/** The writer says nothing for so long: its connection is broken. */
const QUIET_MS_MAX = 60_000;
const LOOK_MS = 5_000;
/** Archive bytes of each fragment. */
export const FRAGMENT_ARCHIVE_BYTES = 1_000;

/** One connection that writes one copy of one image, from its resume point on. */
export class WriteSession implements Session {
  isOver = false;
  readonly token: string;
  private nextNumber: number;
  private heardAt: number;
  private total: number | undefined;
  private readonly sealed: string[] = [];
  private writing: Promise<string> | undefined;
  private judging: Promise<void> | undefined;
  private failure: unknown;
  private finished = false;

  constructor(
    private readonly program: MediaContext,
    private readonly task: Extract<MediaTask, { type: 'write' }>,
  ) {
    this.token = task.token;
    this.nextNumber = task.resume.nextNumber;
    this.heardAt = program.life.world.now;
  }

  get job(): number {
    return this.task.job;
  }

  get attempt(): number {
    return this.task.attempt;
  }

  get imageId(): string {
    return this.task.image.imageId;
  }

  get copy(): number {
    return this.task.image.copy;
  }

  /** Ends when every fragment is committed; throws for everything else that ends it. */
  async run(): Promise<TaskResult> {
    const { life } = this.program;
    while (!this.finished) {
      if (this.failure) throw this.failure;
      if (this.isOver) throw new PermanentError(150, 'the session was ended');
      if (life.world.now - this.heardAt > QUIET_MS_MAX)
        throw new Unavailable('the writer is gone', 40);
      await life.sleep(LOOK_MS);
    }
    const fragments = this.total!;
    const bytes = fragments * FRAGMENT_ARCHIVE_BYTES;
    return { status: 0, message: '', kind: 'full', fragments, files: fragments, bytes };
  }

  /** What the writer says. */
  async take(call: Exclude<DataCall, { type: 'read' }>): Promise<unknown> {
    this.heardAt = this.program.life.world.now;
    switch (call.type) {
      case 'open':
        return { nextNumber: this.nextNumber };
      case 'fragment':
        return this.onFragment(call);
      case 'finish':
        return this.onFinish(call.fragments);
      default:
        return call satisfies never;
    }
  }

  private async onFragment(call: Extract<DataCall, { type: 'fragment' }>): Promise<unknown> {
    const { number, text, last } = call;
    // A request that came twice.
    if (number < this.nextNumber) return {};
    if (number > this.nextNumber || this.total !== undefined) {
      throw new PermanentError(229, 'events out of sequence');
    }
    this.nextNumber += 1;
    if (last) this.total = number;
    await this.writing;
    this.writing = this.write({ number, last, ...contentOf(number, text) });
    await this.writing;
    return {};
  }

  private async write(content: FragmentContent): Promise<string> {
    try {
      const fragmentId = await this.program.untilJournalBreaks(
        this.program.writer.write(this.task.image, content),
      );
      this.sealed.push(fragmentId);
      this.program.offer(fragmentId);
      return fragmentId;
    } catch (error) {
      this.failure = error;
      throw new Unavailable('the connection was closed', 40);
    }
  }

  /** Answers whether all is committed; the writer asks again. */
  private async onFinish(fragments: number): Promise<{ done: boolean }> {
    const endedBefore = this.nextNumber === this.task.resume.nextNumber && this.nextNumber > 1;
    if (!this.writing) {
      const copy = {
        nextNumber: this.nextNumber,
        archiveOffset: 0,
        ended: this.total !== undefined,
      };
      checkFinish(copy, fragments, endedBefore);
    }
    await this.writing;
    this.total = fragments;
    if (this.program.rules.habits.countsNothing) this.finished = true;
    this.judging ??= this.verdicts();
    if (this.failure) throw this.failure;
    return { done: this.finished };
  }

  /** Each fragment has to be COMMITTED; what is not ends the session. */
  private async verdicts(): Promise<void> {
    try {
      for (const fragmentId of this.sealed) {
        const verdict = await this.program.offers.verdict(fragmentId);
        if (verdict !== 'COMMITTED') throw refusal(fragmentId, verdict);
      }
      this.finished = true;
    } catch (error) {
      this.failure = error;
    }
  }
}

export function contentOf(
  number: number,
  text: string,
): Pick<FragmentContent, 'data' | 'index' | 'archiveOffset' | 'archiveBytes'> {
  return {
    data: Buffer.from(text),
    index: Buffer.from(`index of ${text}`),
    archiveOffset: (number - 1) * FRAGMENT_ARCHIVE_BYTES,
    archiveBytes: FRAGMENT_ARCHIVE_BYTES,
  };
}
