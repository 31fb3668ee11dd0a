import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileChanger } from '../file-library/file-changer.js';

/** One drive, and few cartridges with little room. */
export async function makeSmallLibrary(
  path: string,
  { cartridges, capacityBytes }: { cartridges: number; capacityBytes: number },
): Promise<void> {
  const places = join(path, 'library');
  mkdirSync(places, { recursive: true });
  const shape = { slots: 6, drives: 1 };
  const file = { version: 1, changer: 'file', ...shape };
  writeFileSync(join(path, 'library.json'), JSON.stringify(file));
  const changer = await FileChanger.open({ folder: places, ...shape });
  for (let slot = 1; slot <= cartridges; slot += 1) {
    await changer.addCartridge(slot, { barcode: `S${slot}`, capacityBytes });
  }
  await changer.close();
}
