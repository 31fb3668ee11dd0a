/** The first rows whose JSON has no more bytes than that; one at least. */
export function upTo<Row>(bytesMax: number, rows: readonly Row[]): Row[] {
  let bytes = 0;
  const count = rows.findIndex((row) => {
    bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
    return bytes > bytesMax;
  });
  return rows.slice(0, count < 0 ? rows.length : Math.max(1, count));
}
