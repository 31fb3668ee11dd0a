import { parseArgs } from 'node:util';
import type { Measurement } from './measurement.js';
import { report } from './measurement.js';

/** Each bench by its name on the command line. */
const BENCHES: Readonly<Record<string, () => Promise<() => Promise<Measurement[]>>>> = {
  broker: async () => (await import('./broker-bench.js')).brokerBench,
  catalog: async () => (await import('./catalog-bench.js')).catalogBench,
  commits: async () => (await import('./commits-bench.js')).commitsBench,
  jobs: async () => (await import('./jobs-bench.js')).jobsBench,
  data: async () => (await import('./data/data-bench.js')).dataBench,
  due: async () => (await import('./due-bench.js')).dueBench,
  streams: async () => (await import('./streams-bench.js')).streamsBench,
  start: async () => (await import('./start-bench.js')).startBench,
};

const { values, positionals } = parseArgs({
  options: { json: { type: 'string' } },
  allowPositionals: true,
});
const load = BENCHES[positionals[0] ?? ''];
if (!load || positionals.length > 1) {
  console.error(`Usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--json FILE]`);
  process.exit(64);
}
const bench = await load();
report(await bench(), values.json);
