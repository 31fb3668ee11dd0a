import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';
import { check, missingCommands, trace, type CheckRequest, type Finding } from './checker.js';
import { DEEP_SCENARIOS, GOALS, MUTANTS, SCENARIOS } from './checks.js';

/** Each takes up to 0.4 GiB. */
const AT_ONCE_MAX = 2;
const INSTALL = 'apt-get install spin gcc libc6-dev';

const scenarios =
  process.env['HOLDFAST_MODEL'] === 'deep' ? [...SCENARIOS, ...DEEP_SCENARIOS] : SCENARIOS;
const missing = await missingCommands();
const isSkipped = missing.length > 0 && !process.env['CI'];
if (isSkipped) console.warn(`The model is not checked: no ${missing.join(', ')} here. ${INSTALL}`);

interface Check {
  readonly request: CheckRequest;
  readonly finding: Promise<Finding>;
}

let folder: string;
/** By the name of a scenario or the flag of a mutant. */
let checks: ReadonlyMap<string, Check> = new Map();

(isSkipped ? describe.skip : describe)('the model of commit and deletion', () => {
  beforeAll(async () => {
    if (missing.length > 0) throw new Error(`No ${missing.join(', ')} here: ${INSTALL}`);
    folder = await temporaryFolder();
    checks = startChecks();
  });

  afterAll(async () => {
    if (checks.size === 0) return;
    console.log(await report());
    await removeFolder(folder);
  });

  it.each(scenarios)('holds: $name', async ({ name }) => {
    const { request, finding } = checks.get(name)!;
    const { broken, states } = await finding;
    if (broken) throw new Error(`${broken} is broken:\n${await trace(request)}`);
    expect(states).toBeGreaterThan(1_000);
  });

  it.each(MUTANTS)('fails ($breaks) where it $rule', async ({ flag, breaks }) => {
    expect((await checks.get(flag)!.finding).broken).toBe(breaks);
  });

  it('reaches every state that it is about', async () => {
    const goals = [...(await statements(true))].flatMap(
      (statement) => /^Goals:\d+ printf\('(\w+)'\)$/.exec(statement)?.[1] ?? [],
    );
    expect(goals.sort()).toEqual([...GOALS].sort());
  });

  it('takes every step in some scenario, but for those that say what is broken', async () => {
    const taken = await statements(true);
    const dead = [...(await statements(false))].filter(
      (statement) => !taken.has(statement) && !/^(Properties|live):/.test(statement),
    );
    expect(dead).toEqual([]);
  });
});

function startChecks(): Map<string, Check> {
  const model = join(checkoutFolder(), 'test/model/fragment-protocol.pml');
  const requests = [
    ...scenarios.map(({ name, flags }) => ({ name, flags, optimize: true })),
    ...MUTANTS.map(({ flag, scenario }) => ({
      name: flag,
      flags: [...scenario.flags, flag],
      optimize: false,
    })),
  ].map((each, i) => ({ ...each, model, folder: join(folder, `${i}`) }));
  const findings = checkAll(requests);
  return new Map(requests.map((each, i) => [each.name, { request: each, finding: findings[i]! }]));
}

/** Begins them in order, a few at once. */
function checkAll(requests: readonly CheckRequest[]): Promise<Finding>[] {
  const start: ((finding: Promise<Finding>) => void)[] = [];
  const findings = requests.map(() => new Promise<Finding>((resolve) => start.push(resolve)));
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < requests.length; i = next++) {
      start[i]!(check(requests[i]!));
      await Promise.allSettled([findings[i]]);
    }
  };
  for (let n = 0; n < AT_ONCE_MAX; n++) void work();
  return findings;
}

/** All statements of the scenarios, or those that were taken in one of them at least. */
async function statements(taken: boolean): Promise<Set<string>> {
  const found = await Promise.all(scenarios.map(({ name }) => checks.get(name)!.finding));
  return new Set(
    found.flatMap((finding) =>
      [...finding.statements].flatMap(([name, reached]) => (reached || !taken ? name : [])),
    ),
  );
}

async function report(): Promise<string> {
  const lines = [...checks].map(async ([name, { finding }]) => {
    const { states, seconds, broken } = await finding;
    const result = broken ? `breaks ${broken}` : 'holds';
    return `${name}: ${states} states in ${seconds.toFixed(1)} s, ${result}`;
  });
  const settled = await Promise.allSettled(lines);
  return settled.flatMap((line) => ('value' in line ? line.value : [])).join('\n');
}
