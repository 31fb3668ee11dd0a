import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { messageOf } from '#kernel/errors.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { countImage } from '../completion.js';
import { CorruptIndex } from '../domain/corrupt-index.js';
import { failureKind } from '../domain/failure-kind.js';
import { readIndexRecord, type IndexRecord } from '../domain/index-record.js';
import { indexTexts } from './index-text.js';
import { FileLoad } from '../persistence/file-loads.js';
import { IndexQueue, type PendingIndex } from '../persistence/index-queue.js';

/** Lines of a batch; two of them are in memory at once, for each load. */
const BATCH_LINES_MAX = 4_000;

/** Loads the file index of one fragment. */
@Injectable()
export class IndexLoads {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly database: DataSource,
  ) {}

  /**
   * Loads all lines in one transaction: they are all there with the mark that they are, or none is.
   * False if another catalog has the fragment in its hands, or it is loaded.
   * @throws CorruptIndex where the index is not what was committed
   */
  load(pending: PendingIndex, stored: AsyncIterable<Buffer>): Promise<boolean> {
    return this.unitOfWork.run(async (unit) => {
      const queue = new IndexQueue(unit.db);
      if (!(await queue.claim(pending.fragmentId))) return false;
      try {
        await this.writeLines(unit, pending, stored);
      } catch (error) {
        // What the database refuses in a line (a number too large, a path twice) is the line's fault.
        if (failureKind(error) !== 'data') throw error;
        throw new CorruptIndex(messageOf(error), { cause: error });
      }
      await queue.markLoaded(pending.fragmentId);
      await countImage(unit, pending.imageId);
      return true;
    });
  }

  private async writeLines(
    unit: Work,
    pending: PendingIndex,
    stored: AsyncIterable<Buffer>,
  ): Promise<void> {
    const files = new FileLoad(unit.db, this.database, pending.image);
    let records: IndexRecord[] = [];
    // One batch is on its way to the database while the next one is read.
    let writing: Promise<void> = Promise.resolve();
    try {
      for await (const text of indexTexts(stored, pending)) {
        readLines(text, records);
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
  }
}

function readLines(text: string, records: IndexRecord[]): void {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from);
    records.push(readIndexRecord(text.slice(from, end)));
    from = end + 1;
  }
}
