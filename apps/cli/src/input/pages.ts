import { PAGE_ROWS_MAX } from '#contracts/names.js';

/** Rows of a list, and whether there are further ones behind the last of them. */
export interface Rows<Row> {
  readonly rows: Row[];
  readonly more: boolean;
}

/** Said where a list ends before its end. */
export const MORE_ROWS = 'There are more: narrow the list or raise --limit.';

/**
 * Reads up to `limit` rows in pages. `read` is asked for so many rows after the last one (for the
 * first page there is none). An answer may hold fewer than it was asked for, and say that there are more.
 */
export async function readPages<Row>(
  limit: number,
  read: (rows: number, last: Row | undefined) => Promise<Rows<Row>>,
): Promise<Rows<Row>> {
  const all: Row[] = [];
  let more = true;
  while (more && all.length < limit) {
    const page = await read(Math.min(limit - all.length, PAGE_ROWS_MAX), all.at(-1));
    all.push(...page.rows);
    more = page.more && page.rows.length > 0;
  }
  return { rows: all, more };
}
