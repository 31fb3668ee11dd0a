import type { VolumeUnusable } from '../errors.js';

/** Where a block lies in the data file. `length` 0: a file mark. */
export interface MappedRecord {
  readonly offset: number;
  readonly length: number;
  /** CRC-32 of the block. */
  readonly crc: number;
}

const LINE = /^(\d{1,12})\t(?:mark|block\t(\d{1,15})\t(\d{1,7})\t([0-9a-f]{8}))$/;

/** The line of a record in a cartridge's map. */
export function mapLine(position: number, { offset, length, crc }: MappedRecord): string {
  if (length === 0) return `${position}\tmark\n`;
  return `${position}\tblock\t${offset}\t${length}\t${crc.toString(16).padStart(8, '0')}\n`;
}

/**
 * Reads a map. A line that a crash has cut off is no line: its position comes again, or never. One
 * that is missing in between means that the map is damaged; `onDamage` makes the error.
 */
export function parseMap(text: string, onDamage: (reason: string) => VolumeUnusable) {
  const records: MappedRecord[] = [];
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (!match) continue;
    const [, position, offset = '0', length = '0', crc = '0'] = match;
    if (Number(position) !== records.length) {
      throw onDamage(`record ${position} stands where ${records.length} belongs`);
    }
    records.push({ offset: Number(offset), length: Number(length), crc: parseInt(crc, 16) });
  }
  return records;
}
