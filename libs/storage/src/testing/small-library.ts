import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileChanger } from '../file-library/file-changer.js';

/** Few cartridges with little room, and one drive if nothing else is said. */
export async function makeSmallLibrary(
  path: string,
  library: { cartridges: number; capacityBytes: number; drives?: number },
): Promise<void> {
  const { cartridges, capacityBytes, drives = 1 } = library;
  const places = join(path, 'library');
  mkdirSync(places, { recursive: true });
  const shape = { slots: 6, drives };
  const file = { version: 1, changer: 'file', ...shape };
  writeFileSync(join(path, 'library.json'), JSON.stringify(file));
  const changer = await FileChanger.open({ folder: places, ...shape });
  for (let slot = 1; slot <= cartridges; slot += 1) {
    await changer.addCartridge(slot, { barcode: `S${slot}`, capacityBytes });
  }
  await changer.close();
}
