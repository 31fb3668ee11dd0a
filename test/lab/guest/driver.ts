import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import type { z } from 'zod';

import { copyCompleted } from '#contracts/catalog/copy.js';
import type { Message } from '#contracts/contract.js';
import type { CloudEvent } from '#contracts/event.js';
import { fragmentCommitted, fragmentDeleted } from '#contracts/fragment.js';
import { imageCompleted } from '#contracts/image.js';
import type { JobView } from '#contracts/job.js';
import { compareTrees } from '../../support/compare-trees.js';
import type { AnswerOf, Call, CallName, Expectation, Reply, RequestOf, Seen } from '../protocol.js';
import { makeSourceTree } from './source-tree.js';
import { logTails, Refused, Stack } from './stack.js';
import { survey, unjudged } from './survey.js';
import { furnish, goingFragments, runWorkload, SOURCE, untilDone } from './workloads.js';

/** Runs in the guest and does what the host asks over the serial line: standard input and output. */
const EXPECTED = '/run/expected';
const RESTORED = '/run/restored';
const HEAL_POLL_MS = 200;
const DIFFERENCES_SHOWN_MAX = 5;

let started: Stack | undefined;

const handlers: { [N in CallName]: (request: RequestOf<N>) => Promise<AnswerOf<N>> } = {
  hello: () => Promise.resolve({}),
  async start({ sabotage }) {
    const begun = performance.now();
    started = await Stack.start(sabotage);
    tellOfEvents(started);
    return { seconds: secondsSince(begun) };
  },
  async furnish() {
    await furnish(stack());
    return {};
  },
  async work({ workload, generation, chance }) {
    const submitted = (expectation: Expectation): void => tell({ what: 'submitted', expectation });
    try {
      const begun = (): void => tell({ what: 'begun' });
      await runWorkload(workload, { stack: stack(), generation, chance, begun, submitted });
      return { refused: '' };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { refused: error.message };
    }
  },
  async heal({ idle, msMax }) {
    const begun = performance.now();
    for (;;) {
      const note = await ailment(idle);
      if (note === '') return { seconds: secondsSince(begun), note };
      if (performance.now() - begun > msMax) return { seconds: secondsSince(begun), note };
      await sleep(HEAL_POLL_MS);
    }
  },
  survey: () => survey(stack()),
  async restore({ imageId, expectation: { selection, generation } }) {
    rmSync(RESTORED, { recursive: true, force: true });
    const request = { source: { imageId }, destination: RESTORED };
    const { job } = await stack().ask<{ job: number }>('jobs.restore', request);
    const { status, message } = await untilDone(stack(), job);
    if (status !== 0) return { differences: [`restore ended with status ${status}: ${message}`] };
    rmSync(EXPECTED, { recursive: true, force: true });
    makeSourceTree(EXPECTED, generation);
    const expected = join(EXPECTED, selection.slice(SOURCE.length));
    const found = await compareTrees(expected, join(RESTORED, selection));
    const differences = found.map(({ path, what, a, b }) => `${path}: ${what} ${a} became ${b}`);
    return { differences: differences.slice(0, DIFFERENCES_SHOWN_MAX) };
  },
  async settle() {
    await started?.stop();
    started = undefined;
    run('mv', '/run/disk/data/media', '/run/disk/seed');
    run('mkdir', '/run/disk/data/media');
    run('umount', '/run/disk');
    return {};
  },
};

/** In words, what has not healed yet; empty when all has. */
async function ailment(idle: boolean): Promise<string> {
  const going = await goingFragments(stack());
  if (going > 0) return `${going} fragments are still marked for deletion`;
  const waiting = await unjudged(stack());
  if (waiting > 0) return `${waiting} sealed fragments have no verdict`;
  if (!idle) return '';
  for (const state of ['active', 'queued', 'waiting-for-retry', 'incomplete']) {
    const { jobs } = await stack().ask<{ jobs: JobView[] }>('jobs.list', { state, limit: 10 });
    const [first] = jobs;
    if (first) return `job ${first.job} is still ${state} (${first.operation})`;
  }
  return leftover();
}

/** In words, what ended jobs still hold. */
async function leftover(): Promise<string> {
  const { pins } = await stack().ask<{ pins: number }>('catalog.state');
  if (pins > 0) return `${pins} fragments are pinned, and no job runs`;
  const { allocations } = await stack().ask<{ allocations: unknown[] }>('broker.allocations');
  return allocations.length > 0 ? `${allocations.length} allocations are held by no job` : '';
}

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Facts: what an event says was committed before the event could be sent. */
function tellOfEvents({ nats }: Pick<Stack, 'nats'>): void {
  const hear = <T extends z.ZodType>(event: Message<T>, told: (data: z.infer<T>) => Seen): void => {
    nats.subscribe(`${event.prefix}.>`, {
      callback: (_, message) => tell(told(event.schema.parse(message.json<CloudEvent>().data))),
    });
  };
  hear(fragmentCommitted, ({ fragments }) => {
    return { what: 'committed', fragmentIds: fragments.map(({ fragmentId }) => fragmentId) };
  });
  hear(fragmentDeleted, ({ fragmentId }) => ({ what: 'deleted', fragmentId }));
  hear(imageCompleted, ({ imageId }) => ({ what: 'completed', imageId }));
  hear(copyCompleted, ({ imageId }) => ({ what: 'completed', imageId }));
}

function stack(): Stack {
  if (!started) throw new Error('Nothing was started.');
  return started;
}

function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1_000;
}

function tell(seen: Seen): void {
  process.stdout.write(`${JSON.stringify({ seen })}\n`);
}

async function answer({ id, name, request }: Call): Promise<void> {
  let reply: Reply;
  try {
    const handle = handlers[name] as (request: unknown) => Promise<unknown>;
    reply = { id, answer: await handle(request) };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    reply = { id, error: `${text}\n${logTails()}` };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line.startsWith('{')) void answer(JSON.parse(line) as Call);
});
