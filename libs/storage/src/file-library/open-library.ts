import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '#kernel/errors.js';
import { readIfThere } from '../directory/read-folder.js';
import { makeFolders, syncFolder } from '../directory/sync-folder.js';
import { VolumeUnusable } from '../errors.js';
import { FileChanger } from './file-changer.js';

const LIBRARY_FILE = 'library.json';
const PLACES = 'library';

/** What a new library has; its `library.json` can be edited while nobody has it open. */
const NEW_LIBRARY = { drives: 2, slots: 10 };
const NEW_CARTRIDGES = 8;
const CARTRIDGE_BYTES = 10 * 1024 ** 3;

const shape = z.object({
  version: z.literal(1),
  /** The kind of changer: folders and files, in this release. */
  changer: z.literal('file'),
  drives: z.int().min(1).max(64),
  slots: z.int().min(1).max(999),
});

export interface OpenedLibrary {
  readonly changer: FileChanger;
  readonly drives: number;
  readonly slots: number;
}

/**
 * Opens the library that `library.json` in the folder describes; cartridges leave `reserveBytes` free on its file
 * system. A new one is made where there is none:
 * with blank cartridges in all slots but two. Throws `VolumeUnusable` where it is wrong or has an owner.
 */
export async function openFileLibrary(
  folder: string,
  reserveBytes: number,
): Promise<OpenedLibrary> {
  const text = await readIfThere(join(folder, LIBRARY_FILE));
  const { drives, slots } = text === undefined ? NEW_LIBRARY : parse(folder, text);
  const places = await makeFolders(folder, [PLACES]);
  const changer = await FileChanger.open({ folder: places, drives, slots, reserveBytes });
  try {
    if (text === undefined) {
      await fill(changer);
      await describe(folder, { version: 1, changer: 'file', drives, slots });
    }
  } catch (error) {
    await changer.close();
    throw error;
  }
  return { changer, drives, slots };
}

/** A folder below a library's, made where it is missing. */
export async function libraryFolder(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true, mode: 0o700 });
  await syncFolder(folder);
  return path;
}

/** Cartridges that are there already are left: a process may have died here, or `library.json` may be lost. */
async function fill(changer: FileChanger): Promise<void> {
  const { slots, drives, mail } = await changer.inventory();
  const there = new Set([...mail, ...[...slots, ...drives].map(({ barcode }) => barcode)]);
  for (const { slot, barcode } of slots.slice(0, NEW_CARTRIDGES)) {
    const name = `T${String(slot).padStart(5, '0')}`;
    if (barcode !== undefined || there.has(name)) continue;
    await changer.addCartridge(slot, { barcode: name, capacityBytes: CARTRIDGE_BYTES });
  }
}

/** Written last: from then on the library is what the file says. */
async function describe(folder: string, content: z.infer<typeof shape>): Promise<void> {
  const partial = join(folder, `${LIBRARY_FILE}.partial`);
  const handle = await open(partial, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(content, undefined, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, join(folder, LIBRARY_FILE));
  await syncFolder(folder);
}

function parse(folder: string, text: string): z.infer<typeof shape> {
  try {
    return shape.parse(JSON.parse(text));
  } catch (error) {
    throw new VolumeUnusable(folder, `its ${LIBRARY_FILE} is wrong: ${messageOf(error)}`);
  }
}
