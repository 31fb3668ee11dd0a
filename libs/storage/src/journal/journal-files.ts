import { open, readdir, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '#kernel/errors.js';
import { DirectReader } from '../directory/direct-reader.js';
import { syncFolder } from '../directory/sync-folder.js';

const SEGMENT = /^journal-(\d{8})\.log$/;
const SNAPSHOT = 'snapshot.log';
/** Keeps the segment that was compacted last, for a person to look at. */
const PREVIOUS = 'previous.log';

/** The files of one journal's folder. */
export class JournalFiles {
  constructor(readonly folder: string) {}

  segmentPath(number: number): string {
    return join(this.folder, `journal-${String(number).padStart(8, '0')}.log`);
  }

  get snapshotPath(): string {
    return join(this.folder, SNAPSHOT);
  }

  /** The numbers of the segments that are there, ascending. */
  async segments(): Promise<number[]> {
    const numbers = (await readdir(this.folder)).map((name) =>
      Number(SEGMENT.exec(name)?.[1] ?? 0),
    );
    return numbers.filter((number) => number > 0).sort((a, b) => a - b);
  }

  /**
   * What the disk has of a segment, where its file system lets that be asked: after a sync that failed the
   * page cache has more, and takes it for written.
   */
  async readSegment(number: number): Promise<Buffer> {
    const handle = await open(this.segmentPath(number), 'r');
    try {
      const { size } = await handle.stat();
      const direct = await DirectReader.open(handle, size);
      if (!direct) return await handle.readFile();
      try {
        return Buffer.from(await direct.read(0, size));
      } finally {
        await direct.close();
      }
    } finally {
      await handle.close();
    }
  }

  async readSnapshot(): Promise<Buffer | undefined> {
    try {
      return await readFile(this.snapshotPath);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Makes an empty segment, durably, and opens it. */
  async createSegment(number: number): Promise<FileHandle> {
    const path = this.segmentPath(number);
    const handle = await open(path, 'wx', 0o600);
    try {
      await syncFolder(this.folder);
      return handle;
    } catch (error) {
      await handle.close();
      // Behind it the segment before would go on, whose torn end counts as damage in front of another one.
      await rm(path);
      throw error;
    }
  }

  /** Opens a segment to go on with it, behind `goodEnd`; what lies there is cut off, durably. */
  async reopenSegment(number: number, goodEnd: number): Promise<FileHandle> {
    const handle = await open(this.segmentPath(number), 'r+');
    try {
      await handle.truncate(goodEnd);
      await handle.sync();
    } catch (error) {
      await handle.close();
      throw error;
    }
    return handle;
  }

  /** Puts a whole snapshot in the place of the one before; nothing of it stays where that fails. */
  async replaceSnapshot(units: Iterable<Buffer>): Promise<void> {
    const path = `${this.snapshotPath}.partial`;
    try {
      await writeDurably(path, units);
      await rename(path, this.snapshotPath);
    } catch (error) {
      // On a full volume it would have what others need.
      await rm(path, { force: true });
      throw error;
    }
    await syncFolder(this.folder);
  }

  /** Takes segments out of the row whose records are in the snapshot. */
  async retireSegments(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      await rename(this.segmentPath(number), join(this.folder, PREVIOUS));
    }
    if (numbers.length > 0) await syncFolder(this.folder);
  }
}

async function writeDurably(path: string, units: Iterable<Buffer>): Promise<void> {
  const handle = await open(path, 'w', 0o600);
  try {
    for (const unit of units) await handle.writeFile(unit);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
