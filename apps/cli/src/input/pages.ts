import { PAGE_ROWS_MAX } from '#contracts/names.js';

/**
 * Reads up to `limit` rows in pages. `read` is asked for so many rows after the last one (for the
 * first page there is none); a page that is shorter is the end.
 */
export async function readPages<Row>(
  limit: number,
  read: (rows: number, last: Row | undefined) => Promise<Row[]>,
): Promise<Row[]> {
  const all: Row[] = [];
  while (all.length < limit) {
    const rows = Math.min(limit - all.length, PAGE_ROWS_MAX);
    const page = await read(rows, all.at(-1));
    all.push(...page);
    if (page.length < rows) break;
  }
  return all;
}
