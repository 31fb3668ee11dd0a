import { crc32 } from 'node:zlib';
import { open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { assert } from '#kernel/assert.js';
import { syncFolder } from '../directory/sync-folder.js';
import { namesIn, readIfThere } from '../directory/read-folder.js';
import { hostError, openError, VolumeUnusable, writeError } from '../errors.js';
import type { SpaceGate } from '../space-gate.js';
import { BlockUnreadable, EndOfMedium } from '../sequential/sequential-errors.js';
import {
  BLOCK_BYTES_MAX,
  type MediumRecord,
  type RecyclePermit,
  type SequentialMedium,
} from '../sequential/sequential-medium.js';
import { mapLine, parseMap, type MappedRecord } from './block-map.js';

const CARTRIDGE_FILE = 'cartridge.json';
/** A label is one line of some hundred bytes. */
const LABEL_BYTES_MAX = 4_096;
const LINE_END = 0x0a;
const GENERATION = /^(\d{8})\.(data|blocks)$/;

const cartridge = z.object({
  version: z.literal(1),
  barcode: z.string(),
  capacityBytes: z.int().positive(),
});

interface Files {
  readonly data: FileHandle;
  readonly map: FileHandle;
  /** Bytes of the data file, those of an unfinished write included. */
  dataBytes: number;
  mapBytes: number;
}

/** Writes down what a new cartridge is. Its folder has to be there, and nobody else's yet. */
export async function makeCartridge(
  folder: string,
  what: { readonly barcode: string; readonly capacityBytes: number },
): Promise<void> {
  const handle = await open(join(folder, CARTRIDGE_FILE), 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify({ version: 1, ...what })}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncFolder(folder);
}

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
    private files: Files | undefined,
    private readonly gate: Pick<SpaceGate, 'take'>,
  ) {}

  /** Opens the volume on a cartridge. Throws `VolumeUnusable` for a folder that is none. */
  static async open(folder: string, gate: Pick<SpaceGate, 'take'>): Promise<FileMedium> {
    try {
      const { barcode, capacityBytes } = await readCartridge(folder);
      const generation = await newest(folder);
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
    for (let filled = 0; filled < length;) {
      const { bytesRead } = await files.data
        .read(bytes, filled, length - filled, offset + filled)
        .catch((error: Error) => {
          throw new BlockUnreadable(barcode, position, `cannot be read: ${error.message}`);
        });
      if (bytesRead === 0) throw new BlockUnreadable(barcode, position, 'is cut off');
      filled += bytesRead;
    }
    if (crc32(bytes) !== crc) throw new BlockUnreadable(barcode, position, 'has another checksum');
    return bytes;
  }

  private async attempt(work: (files: Files) => Promise<void>): Promise<void> {
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

/** The generation that counts; 0 for a blank cartridge. */
async function newest(folder: string): Promise<number> {
  const numbers = (await namesIn(folder)).map((name) => {
    const [, number = '0', kind] = GENERATION.exec(name) ?? [];
    return kind === 'blocks' ? Number(number) : 0;
  });
  return Math.max(0, ...numbers);
}

function generationFile(folder: string, generation: number, file: string): string {
  return join(folder, `${String(generation).padStart(8, '0')}.${file}`);
}

/** What is on the outside of a cartridge is the name of its folder; both have to say the same. */
async function readCartridge(folder: string): Promise<z.infer<typeof cartridge>> {
  const text = await readIfThere(join(folder, CARTRIDGE_FILE));
  const { data } = cartridge.safeParse(parseJson(text ?? ''));
  if (!data) throw new VolumeUnusable(folder, `it has no good ${CARTRIDGE_FILE}`);
  if (data.barcode === basename(folder)) return data;
  throw new VolumeUnusable(folder, `its ${CARTRIDGE_FILE} is that of cartridge ${data.barcode}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface ReadMap {
  readonly records: MappedRecord[];
  readonly bytes: number;
  /** A crash has cut off its last line. */
  readonly isCut: boolean;
}

async function readMap(folder: string, generation: number): Promise<ReadMap> {
  if (generation === 0) return { records: [], bytes: 0, isCut: false };
  const text = await readFile(generationFile(folder, generation, 'blocks'));
  const records = parseMap(text.toString('utf8'), (reason) => new VolumeUnusable(folder, reason));
  return { records, bytes: text.length, isCut: text.length > 0 && text.at(-1) !== LINE_END };
}

async function openGeneration(
  folder: string,
  generation: number,
  { records, bytes: mapBytes, isCut }: ReadMap,
): Promise<Files> {
  const opened: FileHandle[] = [];
  const reopen = async (file: string) => {
    const handle = await open(generationFile(folder, generation, file), 'r+');
    opened.push(handle);
    return handle;
  };
  try {
    const [data, map] = [await reopen('data'), await reopen('blocks')];
    const end = records.reduce((most, { offset, length }) => Math.max(most, offset + length), 0);
    const dataBytes = Math.max(end, (await data.stat()).size);
    // So that the next line is one of its own.
    if (isCut) await writeAt(map, Buffer.from('\n'), mapBytes);
    return { data, map, dataBytes, mapBytes: isCut ? mapBytes + 1 : mapBytes };
  } catch (error) {
    await Promise.all(opened.map((handle) => handle.close()));
    throw error;
  }
}

/**
 * A cartridge without a map would be taken for a blank one, and begun anew. What was left by a process that died
 * while it began is a label and no more; anything else is somebody's, and the map of it is lost.
 */
async function expectNoOtherData(folder: string, generation: number): Promise<void> {
  for (const name of await namesIn(folder)) {
    const [, number = '0', kind] = GENERATION.exec(name) ?? [];
    if (kind !== 'data' || Number(number) <= generation) continue;
    if (await isLabelAtMost(join(folder, name))) continue;
    throw new VolumeUnusable(folder, `${name} holds data, and the map of its blocks is lost`);
  }
}

/** One line, or the beginning of one. */
async function isLabelAtMost(path: string): Promise<boolean> {
  if ((await stat(path)).size > LABEL_BYTES_MAX) return false;
  const bytes = await readFile(path);
  const end = bytes.indexOf(LINE_END);
  return end < 0 || end === bytes.length - 1;
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

async function writeAt(handle: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await handle.write(
      bytes,
      written,
      bytes.length - written,
      at + written,
    );
    written += bytesWritten;
  }
}
