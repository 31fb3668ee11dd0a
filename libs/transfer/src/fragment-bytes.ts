/** An image may have 99,999 fragments: their numbers have five digits. So the first ones are as large as was asked for, */
const AS_SET = 50_000;
/** and behind them each may be twice as large after so many more: 1,024 times in the end. */
const DOUBLED_EVERY = 5_000;
/** A fragment's size has this limit wherever it is set. */
const BYTES_MAX = 2 ** 40;

/**
 * Stored bytes of an image's fragment with this number, at most, where the storage unit allows `fragmentBytesMax`: so an
 * image has room for ten million times these, though a number is small. Whoever writes and whoever checks come to the same.
 */
export function fragmentBytesMaxAt(number: number, fragmentBytesMax: number): number {
  const doubled = Math.max(0, Math.ceil((number - AS_SET) / DOUBLED_EVERY));
  return Math.min(BYTES_MAX, fragmentBytesMax * 2 ** doubled);
}
