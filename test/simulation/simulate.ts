import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants.js';
import { REAL_RULES, type Rules } from './rules.js';
import { runSeed, type Mode, type SeedResult } from './run-seed.js';
import { shrink } from './kernel/shrink.js';

const USAGE = `Usage: npm run simulate -- [--seeds N] [--from N] [--seed S] [--mode safety|liveness]
  --seeds N   run N seeds (default 1000), beginning with --from (default 1)
  --seed S    run one seed, print its history and, if it fails, the fewest faults that make it fail
  --mutant M  with a cluster that makes this mistake (see mutants.ts)
  --mode M    safety or liveness; default: both`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    mode: { type: 'string' },
    mutant: { type: 'string' },
    history: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const rules = values.mutant ? MUTANTS[values.mutant]?.rules : REAL_RULES;
const modes = modesOf(values.mode);
if (values.help || !modes || !rules) {
  console.error(USAGE);
  process.exit(values.help ? 0 : 64);
}
process.exitCode =
  values.seed === undefined ? await many(modes, rules) : await one(values.seed, modes, rules);

function modesOf(text: string | undefined): readonly Mode[] | undefined {
  if (text === undefined) return ['safety', 'liveness'];
  return text === 'safety' || text === 'liveness' ? [text] : undefined;
}

async function many(modes: readonly Mode[], rules: Rules): Promise<number> {
  const [first, count] = [Number(values.from), Number(values.seeds)];
  const failed: SeedResult[] = [];
  let [steps, faults, slowestMs] = [0, 0, 0];
  const begun = performance.now();
  for (let seed = first; seed < first + count; seed += 1) {
    for (const mode of modes) {
      const started = performance.now();
      const result = await runSeed(String(seed), { mode, rules });
      slowestMs = Math.max(slowestMs, performance.now() - started);
      steps += result.steps;
      faults += result.faults.length;
      if (!result.violation) continue;
      failed.push(result);
      console.log(`seed ${seed} (${mode}): ${result.violation.message}`);
      console.log(`  npm run simulate -- --seed ${seed} --mode ${mode}`);
    }
  }
  const runs = count * modes.length;
  const ms = performance.now() - begun;
  console.log(
    `${runs} runs, ${failed.length} failed; ${steps} steps, ${faults} faults; ` +
      `${(ms / 1_000).toFixed(1)} s, ${(ms / runs).toFixed(1)} ms a run, slowest ${slowestMs.toFixed(0)} ms`,
  );
  return failed.length === 0 ? 0 : 1;
}

async function one(seed: string, modes: readonly Mode[], rules: Rules): Promise<number> {
  for (const mode of modes) {
    const result = await runSeed(seed, { mode, rules, traces: true });
    if (!result.violation) {
      if (values.history) console.log(result.history.join('\n'));
      console.log(
        `seed ${seed} (${mode}): nothing wrong in ${result.steps} steps, ` +
          `${result.virtualMs / 1_000} virtual seconds and ${result.faults.length} faults`,
      );
      continue;
    }
    const least = await shrink(result.faults, async (plan) => {
      const again = await runSeed(seed, { mode, rules, plan });
      return again.violation?.invariant === result.violation?.invariant;
    });
    const last = await runSeed(seed, { mode, rules, plan: new Set(least), traces: true });
    console.log(last.history.join('\n'));
    console.log(`seed ${seed} (${mode}): ${last.violation?.message}`);
    console.log(`It takes ${least.length} of ${result.faults.length} faults: ${least.join(', ')}`);
    return 1;
  }
  return 0;
}
