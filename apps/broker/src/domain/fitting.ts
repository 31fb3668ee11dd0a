/** An answer is one message, of 1 MB at most, and holds up to two lists of this size. */
const LIST_BYTES_MAX = 400 * 1024;

/** The first of the rows that fit into an answer; at least one, where there is one. */
export function fitting<T>(rows: readonly T[]): T[] {
  let bytes = 0;
  const end = rows.findIndex((row, index) => {
    bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
    return index > 0 && bytes > LIST_BYTES_MAX;
  });
  return end < 0 ? [...rows] : rows.slice(0, end);
}
