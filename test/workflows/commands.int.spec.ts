import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import { CLIENT, TestCluster } from '../cluster/cluster.js';
import { until } from '../support/until.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';

/** A line of docs/commands.md: what the seed document types, ours, and the request itself. */
interface Line {
  /** As the first column has it. */
  readonly there: string;
  /** As the second column has it, with its placeholders. */
  readonly here: string;
  /** As the third column has it: `policy.due '{...}'`, with its placeholders. */
  readonly request: string;
  /** Where the command puts several answers together: what of its answer stands for this request's. */
  readonly part?: (ours: Fields, theirs: Fields) => unknown;
}

type Fields = Record<string, unknown>;

/**
 * Every command of the anatomy of a backup (docs/commands.md has more). Placeholders: P, S a policy and its
 * schedule, C a client, N a job, M a media server, U a unit, TIME a time.
 */
const LINES: readonly Line[] = [
  {
    there: 'nbpemreq -due -date',
    here: 'holdfast policy due --at "2036-10-20 19:00"',
    request: `hf.svc.v1.policy.due '{"at":"2036-10-20T19:00:00Z"}'`,
  },
  {
    there: '... -client_filter C -policy_filter P',
    here: 'holdfast policy due --at TIME --policy P --client C',
    request: `hf.svc.v1.policy.due '{"at":"2036-10-20T19:00:00Z","policy":"P","client":"C"}'`,
  },
  {
    there: 'nbpemreq -suspend_scheduling',
    here: 'holdfast policy suspend-scheduling [P]',
    request: `hf.svc.v1.policy.suspend-scheduling '{}'`,
  },
  {
    there: '-resume_scheduling',
    here: 'holdfast policy resume-scheduling [P]',
    request: `policy.resume-scheduling '{"policy":"P"}'`,
  },
  {
    there: 'bpdbjobs -summary -L',
    here: 'holdfast jobs summary -L',
    request: `hf.svc.v1.jobs.summary '{}'`,
  },
  {
    there: 'bpdbjobs -report -all_columns',
    here: 'holdfast jobs --columns all',
    request: `hf.svc.v1.jobs.list '{}'`,
  },
  {
    there: 'bpdbjobs -jobid N -all_columns',
    here: 'holdfast jobs show N',
    request: `hf.svc.v1.jobs.get '{"job":N}'`,
  },
  {
    there: 'nbrbutil -listactivemediajobs M',
    here: 'holdfast broker allocations --media M',
    request: `hf.svc.v1.broker.allocations '{"media":"M"}'`,
  },
  {
    there: 'nbrbutil -listactivestujobs U',
    here: 'holdfast broker allocations --unit U',
    request: `hf.svc.v1.broker.allocations '{"unit":"U"}'`,
  },
  {
    there: 'bpps -x',
    here: 'holdfast cluster status',
    request: `hf.svc.v1.jobs.health '{}'`,
    part: ({ processes }, { instance }) =>
      (processes as Fields[]).find(({ id }) => id === instance),
  },
  {
    there: 'bpconfig -L',
    here: 'holdfast config show',
    request: `hf.svc.v1.policy.settings '{}'`,
    part: ({ settings }) => ({
      settings: (settings as Fields[])
        .filter(({ service }) => service === 'policy')
        .map((setting) => without(setting, ['service', 'instance'])),
    }),
  },
];

const POLICY = {
  name: 'nightly',
  clients: [CLIENT],
  schedules: [
    { name: 'full', type: 'full', frequency: '7d', windows: [{ from: '22:00', for: '8h' }] },
  ],
};

describe('the commands of the anatomy of a backup', () => {
  let cluster: TestCluster;
  let hookFolder: string;
  /** One that is done; another one holds its resources all the time. */
  let job: number;

  beforeAll(async () => {
    hookFolder = await temporaryFolder();
    writeFileSync(join(hookFolder, 'long.sh'), '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
    cluster = await TestCluster.start({ env: { HOLDFAST_AGENT_HOOKS: hookFolder } });
    const folder = cluster.path('work', 'tree');
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), 'one');
    await cluster.ask('policy.put', { policy: { ...POLICY, selections: [folder] } });
    const ran = await cluster.cli('policy', 'run', 'nightly', '--schedule', 'full');
    job = (ran.json as { jobs: { job: number }[] }).jobs[0]!.job;
    await cluster.cli('jobs', 'watch', String(job));
    const hooks = { before: { script: 'long.sh' } };
    const long = await cluster.ask<{ job: number }>('jobs.backup', {
      ...{ client: CLIENT, selections: [folder], hooks },
    });
    await until(async () => (await held()).includes(long.job), { what: 'the long job' });
    // From then on it says little new: a command and the request beside it are not at the same moment.
    await until(() => isInHook(long.job), { what: 'its hook' });
  });
  afterAll(async () => {
    await cluster.stop();
    await removeFolder(hookFolder);
  });

  const held = async (): Promise<number[]> => {
    type Answer = { allocations: { job: number }[] };
    const { allocations } = await cluster.ask<Answer>('broker.allocations');
    return allocations.map((one) => one.job);
  };

  const isInHook = async (long: number): Promise<boolean> => {
    type Answer = { jobs: { job: number; progress: { currentPath: string } }[] };
    const { jobs } = await cluster.ask<Answer>('jobs.list');
    return jobs.some(({ job, progress }) => job === long && progress.currentPath.includes('hook'));
  };

  /** A column's text with its placeholders filled in. */
  const filled = (text: string): string =>
    text
      .replace(/ \[P\]/, '')
      // The command line's times are local ones, where no zone is said.
      .replace(/\bTIME\b|"2036-10-20 19:00"/, '2036-10-20T19:00:00Z')
      .replace(/"M"|\bM\b/, (found) => (found === 'M' ? 'media1' : '"media1"'))
      .replace(/"U"|\bU\b/, (found) => (found === 'U' ? 'default' : '"default"'))
      .replace(/"P"|\bP\b/, (found) => (found === 'P' ? 'nightly' : '"nightly"'))
      .replace(/"C"|\bC\b/, (found) => (found === 'C' ? CLIENT : `"${CLIENT}"`))
      .replace(/\bN\b/, String(job));

  it.each(LINES)('$there: docs/commands.md has the line', ({ there, here, request }) => {
    const rows = readFileSync(join(checkoutFolder(), 'docs/commands.md'), 'utf8')
      .split('\n')
      .map((row) => row.split(' | '));
    const found = rows.filter(
      ([first, second, third]) =>
        first?.includes(there) && second?.includes(here) && third?.includes(request),
    );
    expect(found).toHaveLength(1);
  });

  it.each(LINES)('$here answers as $request does', async ({ here, request, part }) => {
    const args = [...filled(here).matchAll(/"([^"]*)"|(\S+)/g)].map(
      (found) => found[1] ?? found[2]!,
    );
    const [, endpoint, input] = /^(?:hf\.svc\.v1\.)?(\S+) '(.*)'$/.exec(filled(request))!;
    const { exitCode, json } = await cluster.cli(...args.slice(1));
    expect(exitCode).toBe(0);
    const theirs = await cluster.ask(endpoint!, JSON.parse(input!) as object);
    const ours = (part ? part(json as Fields, theirs) : json) as Fields;
    // A command may leave out how the answer was paged, or say more from a second request.
    const shared = Object.keys(theirs).filter((name) => name in ours);
    expect(shared).not.toEqual([]);
    expect(lasting(only(ours, shared))).toEqual(lasting(only(theirs, shared)));
  });
});

function only(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(names.map((name) => [name, fields[name]]));
}

function without(fields: Fields, names: readonly string[]): Fields {
  return only(
    fields,
    Object.keys(fields).filter((name) => !names.includes(name)),
  );
}

/** What a moment later is another value: an agent's sign of life counts as a revision of the job. */
const PASSING = new Set(['lastSeenAt', 'freeBytes', 'leaseUntil', 'residentBytes', 'revision']);

function lasting(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lasting);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => !PASSING.has(name));
  return Object.fromEntries(entries.map(([name, each]) => [name, lasting(each)]));
}
