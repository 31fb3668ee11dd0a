import { crc32 } from 'node:zlib';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '#kernel/assert.js';
import { syncFolder } from '../directory/sync-folder.js';
import { namesIn } from '../directory/read-folder.js';
import { hostError, openError, writeError } from '../errors.js';
import { readInto } from '../read-range.js';
import type { SpaceGate } from '../space-gate.js';
import { BlockUnreadable, EndOfMedium } from '../sequential/sequential-errors.js';
import {
  BLOCK_BYTES_MAX,
  type MediumRecord,
  type RecyclePermit,
  type SequentialMedium,
} from '../sequential/sequential-medium.js';
import { mapLine, type MappedRecord } from './block-map.js';
import {
  expectNoOtherData,
  GENERATION,
  generationFile,
  newestGeneration,
  openGeneration,
  readCartridge,
  readMap,
  writeAt,
  type GenerationFiles,
} from './cartridge-files.js';

/**
 * A cartridge that is a folder: `<generation>.data` holds its blocks one behind the other, and
 * `<generation>.blocks` a line for each block and mark. To begin anew is to begin another generation,
 * which counts from the moment that its map has its name.
 */
export class FileMedium implements SequentialMedium {
  private readonly waiting: MappedRecord[] = [];
  private position = 0;
  private failure: Error | undefined;
  private closed = false;

  private constructor(
    private readonly folder: string,
    readonly barcode: string,
    readonly capacityBytes: number,
    private generation: number,
    private records: MappedRecord[],
    private files: GenerationFiles | undefined,
    private readonly gate: Pick<SpaceGate, 'take'>,
  ) {}

  /** Opens the volume on a cartridge. Throws `VolumeUnusable` for a folder that is none. */
  static async open(folder: string, gate: Pick<SpaceGate, 'take'>): Promise<FileMedium> {
    try {
      const { barcode, capacityBytes } = await readCartridge(folder);
      const generation = await newestGeneration(folder);
      const map = await readMap(folder, generation);
      const { records } = map;
      await expectNoOtherData(folder, records.length === 0 ? generation - 1 : generation);
      const files = generation === 0 ? undefined : await openGeneration(folder, generation, map);
      return new FileMedium(folder, barcode, capacityBytes, generation, records, files, gate);
    } catch (error) {
      throw openError(folder, error);
    }
  }

  get isOpen(): boolean {
    return !this.closed;
  }

  get writtenBytes(): number {
    return this.files?.dataBytes ?? 0;
  }

  get endOfData(): number {
    return this.records.length;
  }

  append(block: Buffer): Promise<void> {
    assert(block.length > 0 && block.length <= BLOCK_BYTES_MAX, 'a block of no or too many bytes');
    return this.attempt(async (files) => {
      if (files.dataBytes + block.length > this.capacityBytes) throw new EndOfMedium(this.barcode);
      await this.gate.take(block.length);
      await expectEnd(files.data, files.dataBytes);
      const record = { offset: files.dataBytes, length: block.length, crc: crc32(block) };
      await writeAt(files.data, block, files.dataBytes);
      files.dataBytes += block.length;
      this.waiting.push(record);
      this.records.push(record);
    });
  }

  mark(): Promise<void> {
    return this.attempt(async (files) => {
      const record = { offset: files.dataBytes, length: 0, crc: 0 };
      const from = this.records.length - this.waiting.length;
      const lines = [...this.waiting, record].map((one, at) => mapLine(from + at, one));
      await files.data.datasync();
      await expectEnd(files.map, files.mapBytes);
      const text = Buffer.from(lines.join(''), 'utf8');
      await writeAt(files.map, text, files.mapBytes);
      await files.map.datasync();
      files.mapBytes += text.length;
      this.waiting.length = 0;
      this.records.push(record);
    });
  }

  async locate(position: number): Promise<void> {
    if (Number.isInteger(position) && position >= 0 && position <= this.records.length) {
      this.position = position;
      return;
    }
    throw new BlockUnreadable(this.barcode, position, 'is behind the end of data');
  }

  async next(): Promise<MediumRecord> {
    const record = this.records[this.position];
    if (!record) return { type: 'end' };
    if (record.length > 0) {
      const bytes = await this.readBlock(record);
      this.position += 1;
      return { type: 'block', bytes };
    }
    this.position += 1;
    return { type: 'mark' };
  }

  async begin(permit: RecyclePermit, label: Buffer): Promise<void> {
    await this.expectPermitted(permit);
    try {
      await this.beginGeneration(this.generation + 1, label);
    } catch (error) {
      this.failure = hostError(this.folder, error) ?? writeError(this.folder, error);
      throw this.failure;
    }
  }

  async close(): Promise<void> {
    const { files } = this;
    this.files = undefined;
    this.closed = true;
    this.failure ??= new Error('a closed medium is used');
    await Promise.all([files?.data.close(), files?.map.close()]);
  }

  /** The permit is for this cartridge, with the first block that it really has. */
  private async expectPermitted({ barcode, label }: RecyclePermit): Promise<void> {
    if (this.failure) throw this.failure;
    const [first] = this.records;
    const present = first && (await this.readBlock(first));
    const isSame = present ? label !== undefined && present.equals(label) : label === undefined;
    assert(barcode === this.barcode && isSame, 'a permit for another volume');
  }

  private async beginGeneration(generation: number, label: Buffer): Promise<void> {
    const path = (file: string) => generationFile(this.folder, generation, file);
    const record = { offset: 0, length: label.length, crc: crc32(label) };
    const mark = { offset: label.length, length: 0, crc: 0 };
    const map = Buffer.from(mapLine(0, record) + mapLine(1, mark), 'utf8');
    const newest = await newestGeneration(this.folder);
    if (newest >= generation) throw new Error(`somebody else has begun it anew (${newest})`);
    // Left by a process that died before the map had its name: it was never anybody's.
    for (const stale of [path('data'), path('blocks.partial')]) await rm(stale, { force: true });
    await writeNew(path('data'), label);
    await writeNew(path('blocks.partial'), map);
    await syncFolder(this.folder);
    await rename(path('blocks.partial'), path('blocks'));
    await syncFolder(this.folder);
    await Promise.all([this.files?.data.close(), this.files?.map.close()]);
    const begun = await readMap(this.folder, generation);
    this.files = await openGeneration(this.folder, generation, begun);
    this.generation = generation;
    this.records = begun.records;
    this.position = 0;
    this.waiting.length = 0;
    await dropOlder(this.folder, generation);
  }

  private async readBlock({ offset, length, crc }: MappedRecord): Promise<Buffer> {
    const { files, barcode, position } = this;
    if (!files) throw this.failure ?? new Error('a medium without files');
    const bytes = Buffer.allocUnsafe(length);
    const filled = await readInto(bytes, files.data, offset).catch((error: Error) => {
      throw new BlockUnreadable(barcode, position, `cannot be read: ${error.message}`);
    });
    if (filled < length) throw new BlockUnreadable(barcode, position, 'is cut off');
    if (crc32(bytes) !== crc) throw new BlockUnreadable(barcode, position, 'has another checksum');
    return bytes;
  }

  private async attempt(work: (files: GenerationFiles) => Promise<void>): Promise<void> {
    if (this.failure) throw this.failure;
    assert(this.files, 'a volume without a label is written');
    try {
      await work(this.files);
    } catch (error) {
      if (error instanceof EndOfMedium) throw error;
      this.failure = writeError(this.folder, error);
      throw this.failure;
    }
  }
}

/** Generations that a newer one has replaced, which only a permit makes. */
async function dropOlder(folder: string, generation: number): Promise<void> {
  for (const name of await namesIn(folder)) {
    const number = Number(GENERATION.exec(name)?.[1] ?? generation);
    if (number < generation) await rm(join(folder, name), { force: true });
  }
}

/** Whoever else has the cartridge open, against all rules: what they have written stays. */
async function expectEnd(handle: FileHandle, bytes: number): Promise<void> {
  const { size } = await handle.stat();
  if (size > bytes)
    throw new Error(`it has ${size} bytes, not ${bytes}: somebody else writes to it`);
}

async function writeNew(path: string, content: Buffer): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await writeAt(handle, content, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
