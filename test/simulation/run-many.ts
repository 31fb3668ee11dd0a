import { runSeed, type Mode } from './run-seed.js';

/** What a failed seed says of itself: what broke, and how to see it again. */
export async function failuresOf(seeds: Iterable<number>, mode: Mode): Promise<string[]> {
  const failures: string[] = [];
  for (const seed of seeds) {
    const { violation } = await runSeed(String(seed), { mode });
    if (!violation) continue;
    failures.push(`${violation.message}\n  npm run simulate -- --seed ${seed} --mode ${mode}`);
  }
  return failures;
}

export function* range(from: number, count: number): Iterable<number> {
  for (let number = from; number < from + count; number += 1) yield number;
}
