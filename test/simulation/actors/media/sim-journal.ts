import { VolumeUnusable } from '#storage/errors.js';
import { encodeUnit, scanUnits } from '#storage/journal/journal-unit.js';
import { recordLine, recordsOf, type RecordLine } from '#storage/journal/record-text.js';
import {
  journalRecord,
  type JournalRecord,
} from '../../../../apps/media/src/domain/journal-record.js';
import { Violation } from '../../kernel/world.js';
import type { DiskLink } from './disk-link.js';

const FOLDER = 'journal';
const FILE = `${FOLDER}/journal-00000001.log`;

interface Waiting {
  readonly lines: readonly RecordLine[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The journal of a media server on a simulated disk, in the real format: one segment of units. As the
 * real one does it cuts an unfinished unit off its end, writes one unit at a time and takes nothing
 * more after a write that failed.
 */
export class SimJournal {
  failure: Error | undefined;
  private waiting: Waiting[] = [];
  private isFlushing = false;

  private constructor(
    private readonly disk: DiskLink,
    private sequence: number,
  ) {}

  static async open(
    disk: DiskLink,
    onRecord: (record: JournalRecord) => void,
  ): Promise<SimJournal> {
    if (!disk.disk.exists(FILE)) await disk.create(FILE);
    // Also where it is there: who made it may have died before this.
    await disk.syncFolder(FOLDER);
    const file = await disk.read(FILE);
    const { units, goodEnd, tail } = scanUnits(file);
    if (tail === 'torn') disk.life.world.meet('torn journal');
    if (tail === 'damaged') throw new Violation('journal', 'a good unit behind a bad one');
    for (const [index, unit] of units.entries()) {
      if (unit.sequence !== index + 1) throw new Violation('journal', 'a unit is missing');
      for (const record of recordsOf(unit.payload, FILE, (value) => journalRecord.parse(value))) {
        onRecord(record);
      }
    }
    // Also where nothing is to be cut: the last unit may be in memory only.
    await disk.truncate(FILE, goodEnd);
    await disk.sync(FILE);
    return new SimJournal(disk, units.length);
  }

  /** Resolves when the records survive a power loss. */
  append(...records: readonly JournalRecord[]): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.waiting.push({ lines: records.map(recordLine), resolve, reject });
      if (!this.isFlushing) void this.flush();
    });
  }

  private async flush(): Promise<void> {
    this.isFlushing = true;
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0);
      try {
        const all = batch.flatMap(({ lines }) => lines);
        await this.disk.append(FILE, encodeUnit(this.sequence + 1, all));
        await this.disk.sync(FILE);
        this.sequence += 1;
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.failure = new VolumeUnusable(FILE, String(error));
        for (const { reject } of [...batch, ...this.waiting.splice(0)]) reject(this.failure);
      }
    }
    this.isFlushing = false;
  }
}
