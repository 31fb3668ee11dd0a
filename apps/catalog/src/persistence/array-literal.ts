/** Needs no quotes in an array literal. Four letters might be NULL. */
const PLAIN = /^[A-Za-z0-9._:-]+$/;

/**
 * Values as the text of a PostgreSQL array. The driver would quote and escape each of them, which is
 * a third of what a commit costs the catalog; ids, digests and numbers need neither.
 */
export function arrayLiteral(values: readonly unknown[]): string {
  return `{${values.map(element).join()}}`;
}

/** Bytes likewise. */
export function byteArray(values: readonly (Buffer | null)[]): string {
  return `{${values.map((value) => (value ? `"\\\\x${value.toString('hex')}"` : 'NULL')).join()}}`;
}

function element(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null || value === undefined) return 'NULL';
  const text = String(value);
  if (text.length !== 4 && PLAIN.test(text)) return text;
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
