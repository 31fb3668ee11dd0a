import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants.js';
import { REAL_RULES } from './rules.js';
import { SeedRuns } from './seed-runs.js';
import { runSeed, type Mode, type SeedOptions } from './run-seed.js';
import { shrink } from './kernel/shrink.js';

const USAGE = `Usage: npm run simulate -- [--seeds N] [--from N] [--seed S] [--mode safety|liveness]
  --seeds N   run N seeds (default 1000), beginning with --from (default 1)
  --seed S    run one seed, print its history and, if it fails, the fewest faults that make it fail
  --mode M    safety or liveness; default: both
  --mutant M  with a cluster that makes this mistake (see mutants.ts)
  --json      one line of JSON at the end, for programs`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    mode: { type: 'string' },
    mutant: { type: 'string' },
    history: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const modes = modesOf(values.mode);
const mutant = values.mutant === undefined ? { rules: REAL_RULES } : MUTANTS[values.mutant];
if (values.help || !modes || !mutant) {
  console.error(USAGE);
  process.exit(values.help ? 0 : 64);
}
const { rules, setting } = { setting: undefined, ...mutant };
const world: Omit<SeedOptions, 'mode'> = { rules, ...(setting && { setting }) };
process.exitCode = values.seed === undefined ? await many(modes) : await one(values.seed, modes);

function modesOf(text: string | undefined): readonly Mode[] | undefined {
  if (text === undefined) return ['safety', 'liveness'];
  return text === 'safety' || text === 'liveness' ? [text] : undefined;
}

async function many(all: readonly Mode[]): Promise<number> {
  const [from, count] = [Number(values.from), Number(values.seeds)];
  const failures: string[] = [];
  const missed: string[] = [];
  for (const mode of all) {
    const runs = new SeedRuns({ ...world, mode });
    const begun = performance.now();
    await runs.run(from, count, (failure) => console.log(failure));
    failures.push(...runs.failures);
    missed.push(...runs.missed.map((what) => `${mode}: ${what}`));
    const ms = (performance.now() - begun) / count;
    console.log(
      `${mode}: ${count} seeds, ${runs.failures.length} failed; ` +
        `${runs.steps} steps, ${runs.faults} faults, ${ms.toFixed(1)} ms a seed`,
    );
  }
  if (values.json) console.log(JSON.stringify({ failures, missed }));
  return failures.length === 0 ? 0 : 1;
}

async function one(seed: string, all: readonly Mode[]): Promise<number> {
  for (const mode of all) {
    const result = await runSeed(seed, { ...world, mode, traces: true });
    const { violation, faults } = result;
    if (!violation) {
      if (values.history) console.log(result.history.join('\n'));
      const seconds = (result.virtualMs / 1_000).toFixed(0);
      console.log(
        `seed ${seed} (${mode}): nothing wrong in ${result.steps} steps, ` +
          `${seconds} virtual seconds and ${faults.length} faults`,
      );
      continue;
    }
    const least = await shrink(faults, async (plan) => {
      const again = await runSeed(seed, { ...world, mode, plan });
      return again.violation?.invariant === violation.invariant;
    });
    const last = await runSeed(seed, { ...world, mode, plan: new Set(least), traces: true });
    console.log(last.history.join('\n'));
    console.log(`seed ${seed} (${mode}): ${last.violation?.message}`);
    console.log(`It takes ${least.length} of ${faults.length} faults: ${least.join(', ')}`);
    return 1;
  }
  return 0;
}
