/** Stops a program that has reached a state which its author ruled out. Never used on input. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`Ruled-out state: ${what}`);
}
