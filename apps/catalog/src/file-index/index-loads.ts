import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { failureKind } from '#kernel/database-failure.js';
import { messageOf } from '#kernel/errors.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { countCopies, countImage } from '../completion.js';
import { CorruptIndex } from '../domain/files/corrupt-index.js';
import { readIndexRecords, type IndexRecord } from '../domain/files/index-record.js';
import { Completions } from './completions.js';
import { indexTexts } from './index-text.js';
import { Images } from '../persistence/images.js';
import { shareBlocks } from '../persistence/files/block-locks.js';
import { FileLoad } from '../persistence/files/file-loads.js';
import { IndexQueue, type PendingIndex } from '../persistence/index-queue.js';

/** Lines of a batch; two of them are in memory at once, for each load. */
const BATCH_LINES_MAX = 4_000;

/** Loads the file index of one fragment. */
@Injectable()
export class IndexLoads {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly database: DataSource,
    private readonly completions: Completions,
  ) {}

  /**
   * Loads all lines in one transaction: they are all there with the mark that they are, or none is.
   * False if another catalog has the number in its hands, or it is loaded, or was given up.
   * @throws CorruptIndex where the index is not what was committed
   */
  async load(pending: PendingIndex, stored: AsyncIterable<Buffer>): Promise<boolean> {
    try {
      let isComplete = false;
      const isLoaded = await this.unitOfWork.run(async (unit) => {
        await shareBlocks(unit.db, [pending.image.client]);
        const queue = new IndexQueue(unit.db);
        if (!(await queue.claim(pending))) return false;
        await this.writeChecked(unit, pending, stored);
        // Images are locked before fragments, by everybody.
        await new Images(unit.db).hold(pending.imageId);
        if (!(await queue.markLoaded(pending.fragmentId))) throw new GivenUp();
        isComplete = (await countImage(unit, pending.imageId)).complete;
        return true;
      });
      if (isComplete) this.completions.tell(pending.imageId);
      return isLoaded;
    } catch (error) {
      if (error instanceof GivenUp) return false;
      throw error;
    }
  }

  /** Where the index came from another copy: says so, and counts what that completes. */
  async adopt({ imageId, copy }: PendingIndex): Promise<void> {
    await this.unitOfWork.run(async (unit) => {
      await new Images(unit.db).hold(imageId);
      await new IndexQueue(unit.db).markKnown(imageId, copy);
      await countImage(unit, imageId);
      await countCopies(unit, imageId);
    });
  }

  private async writeChecked(
    unit: Work,
    pending: PendingIndex,
    stored: AsyncIterable<Buffer>,
  ): Promise<void> {
    try {
      await this.writeLines(unit, pending, stored);
    } catch (error) {
      // What the database refuses in a line is the line's fault.
      if (failureKind(error) !== 'data') throw error;
      throw new CorruptIndex(messageOf(error), { cause: error });
    }
  }

  private async writeLines(
    unit: Work,
    pending: PendingIndex,
    stored: AsyncIterable<Buffer>,
  ): Promise<void> {
    const { image, number: fragment } = pending;
    const files = new FileLoad(unit.db, this.database, { image, fragment });
    let records: IndexRecord[] = [];
    // One batch is on its way to the database while the next one is read.
    let writing: Promise<void> = Promise.resolve();
    try {
      for await (const text of indexTexts(stored, pending)) {
        readIndexRecords(text, records);
        if (records.length >= BATCH_LINES_MAX) {
          await writing;
          writing = files.write(records);
          writing.catch(() => undefined);
          records = [];
        }
      }
    } finally {
      // Before a rollback, too: the connection can do one thing at a time.
      await writing;
    }
    if (records.length > 0) await files.write(records);
    await files.finish();
  }
}

/** A later attempt of the backup writes the fragment's number anew: what was loaded is undone. */
class GivenUp extends Error {}
