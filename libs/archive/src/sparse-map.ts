import { paddedToBlock } from './tar-block.js';

/** A file with more runs than this is better stored whole: its map would cost more than it saves. */
export const SPARSE_RUNS_MAX = 100_000;
/** What a reader takes: foreign archives may have more. Bounds its memory. */
const READ_ENTRIES_MAX = 4_000_000;

/** A run of data in a sparse file; what lies between runs is zeros. Bytes. */
export interface DataRange {
  readonly offset: number;
  readonly length: number;
}

/** Bytes of data that a map stands for. */
export function dataBytesOf(ranges: readonly DataRange[]): number {
  return ranges.reduce((sum, range) => sum + range.length, 0);
}

/**
 * The map of a GNU sparse 1.0 file as it stands before the data, padded to a block: the number of
 * entries, then offset and length of each, decimal, a line each. A file that ends in a hole
 * gets an empty last entry at `realSize`, as GNU tar writes it.
 */
export function encodeSparseMap(ranges: readonly DataRange[], realSize: number): Buffer {
  const last = ranges.at(-1);
  const endsInHole = !last || last.offset + last.length < realSize;
  const entries = endsInHole ? [...ranges, { offset: realSize, length: 0 }] : ranges;
  const text = `${entries.length}\n${entries.map((e) => `${e.offset}\n${e.length}\n`).join('')}`;
  const map = Buffer.alloc(paddedToBlock(text.length));
  map.write(text, 0, 'latin1');
  return map;
}

/** Puts a map together from the blocks at the head of a sparse file's stored bytes. */
export class SparseMapReader {
  readonly #blocks: Buffer[] = [];
  #linesMissing: number | undefined;

  /**
   * Takes the next block of the map.
   * @returns the runs when this was the last block, else undefined.
   * @throws Error if it is not a map, has too many runs or is out of order.
   */
  push(block: Buffer): DataRange[] | undefined {
    this.#blocks.push(Buffer.from(block));
    if (this.#linesMissing === undefined) {
      const count = numberAt(block.toString('latin1', 0, Math.max(block.indexOf(0x0a), 0)));
      if (count > READ_ENTRIES_MAX) throw new Error('A sparse file has too many data runs');
      this.#linesMissing = 1 + 2 * count;
    }
    for (let at = block.indexOf(0x0a); at >= 0; at = block.indexOf(0x0a, at + 1)) {
      this.#linesMissing--;
    }
    return this.#linesMissing > 0 ? undefined : this.#parse();
  }

  #parse(): DataRange[] {
    const lines = Buffer.concat(this.#blocks).toString('latin1').split('\n');
    const ranges: DataRange[] = [];
    const count = numberAt(lines[0]);
    let end = 0;
    for (let index = 0; index < count; index++) {
      const offset = numberAt(lines[1 + 2 * index]);
      const length = numberAt(lines[2 + 2 * index]);
      if (offset < end) throw new Error('The map of a sparse file is out of order');
      end = offset + length;
      if (length > 0) ranges.push({ offset, length });
    }
    return ranges;
  }
}

function numberAt(text: string | undefined): number {
  if (text === undefined || !/^\d{1,16}$/.test(text)) {
    throw new Error('The map of a sparse file is damaged');
  }
  return Number(text);
}
