/**
 * The fewest faults (as far as dropping some at a time finds them) with which it still fails: halves,
 * then quarters, down to single ones, as delta debugging does. Without any it may fail too.
 */
export async function shrink(
  faults: readonly string[],
  fails: (plan: ReadonlySet<string>) => Promise<boolean>,
): Promise<readonly string[]> {
  let kept = faults;
  if (await fails(new Set())) return [];
  for (let size = Math.ceil(kept.length / 2); size >= 1;) {
    const without = await dropOne(kept, size, fails);
    if (without) {
      kept = without;
      size = Math.min(size, Math.ceil(kept.length / 2));
    } else if (size === 1) {
      break;
    } else {
      size = Math.ceil(size / 2);
    }
  }
  return kept;
}

async function dropOne(
  kept: readonly string[],
  size: number,
  fails: (plan: ReadonlySet<string>) => Promise<boolean>,
): Promise<readonly string[] | undefined> {
  for (let from = 0; from < kept.length; from += size) {
    const without = [...kept.slice(0, from), ...kept.slice(from + size)];
    if (without.length < kept.length && (await fails(new Set(without)))) return without;
  }
  return undefined;
}
