import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { namesIn, readIfThere } from '../directory/read-folder.js';
import { syncFolder } from '../directory/sync-folder.js';
import { VolumeUnusable } from '../errors.js';
import { parseMap, type MappedRecord } from './block-map.js';

const CARTRIDGE_FILE = 'cartridge.json';
/** A label is one line of some hundred bytes. */
const LABEL_BYTES_MAX = 4_096;
const LINE_END = 0x0a;
/** Of the files of a volume: its generation, and which of the two it is. */
export const GENERATION = /^(\d{8})\.(data|blocks)$/;

const cartridge = z.object({
  version: z.literal(1),
  barcode: z.string(),
  capacityBytes: z.int().positive(),
});

/** The two files of a generation, open. */
export interface GenerationFiles {
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

/** The generation that counts; 0 for a blank cartridge. */
export async function newestGeneration(folder: string): Promise<number> {
  const numbers = (await namesIn(folder)).map((name) => {
    const [, number = '0', kind] = GENERATION.exec(name) ?? [];
    return kind === 'blocks' ? Number(number) : 0;
  });
  return Math.max(0, ...numbers);
}

/** The path of one of them. */
export function generationFile(folder: string, generation: number, file: string): string {
  return join(folder, `${String(generation).padStart(8, '0')}.${file}`);
}

/** What is on the outside of a cartridge is the name of its folder; both have to say the same. */
export async function readCartridge(folder: string): Promise<z.infer<typeof cartridge>> {
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

/** What the map of a generation says. */
export interface ReadMap {
  readonly records: MappedRecord[];
  readonly bytes: number;
  /** A crash has cut off its last line. */
  readonly isCut: boolean;
}

/** Throws `VolumeUnusable` where it is damaged. */
export async function readMap(folder: string, generation: number): Promise<ReadMap> {
  if (generation === 0) return { records: [], bytes: 0, isCut: false };
  const text = await readFile(generationFile(folder, generation, 'blocks'));
  const records = parseMap(text.toString('utf8'), (reason) => new VolumeUnusable(folder, reason));
  return { records, bytes: text.length, isCut: text.length > 0 && text.at(-1) !== LINE_END };
}

/** Opens the files of a generation to go on with it. */
export async function openGeneration(
  folder: string,
  generation: number,
  { records, bytes: mapBytes, isCut }: ReadMap,
): Promise<GenerationFiles> {
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
export async function expectNoOtherData(folder: string, generation: number): Promise<void> {
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

/** Writes all of it. */
export async function writeAt(handle: FileHandle, bytes: Buffer, at: number): Promise<void> {
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
