/**
 * The system's code of an error (`ENOENT`), by its shape: errors of Node's own modules are not
 * instances of the `Error` that a test runner's sandbox sees.
 */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
