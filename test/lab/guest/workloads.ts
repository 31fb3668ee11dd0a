import { setTimeout as sleep } from 'node:timers/promises';

import type { JobView } from '#contracts/job.js';
import type { Expectation } from '../protocol.js';
import { makeSourceTree, SELECTIONS } from './source-tree.js';
import { CLIENT, type Stack } from './stack.js';

/** What one run of a workload has to work with. */
export interface Work {
  readonly stack: Pick<Stack, 'ask'>;
  /** Of the source tree, which has just been made. */
  readonly generation: number;
  /** From 0 to 1: the one choice that a workload may take. */
  readonly chance: number;
  /** Says on which job what is to be expected of its image. */
  readonly submitted: (expectation: Expectation) => void;
}

export const SOURCE = '/run/source';
export const UNIT = 'lab';
const POLL_MS = 50;

/**
 * What is under way when the power goes. To add one: a function that asks the services for something and resolves when
 * that has ended, well or not; the lab calls it while it waits to cut the power.
 */
export const WORKLOADS: Readonly<Record<string, (work: Work) => Promise<void>>> = {
  full: (work) => backUp(work, 'full', SELECTIONS.all),
  differential: (work) => backUp(work, 'differential', SELECTIONS.all),
  /** Two at once: their fragments and journal records mix. */
  pair: async (work) => {
    await Promise.all([
      backUp(work, 'full', SELECTIONS.left),
      backUp(work, 'full', SELECTIONS.right),
    ]);
  },
};

export async function runWorkload(name: string, work: Work): Promise<void> {
  const workload = WORKLOADS[name];
  if (!workload) throw new Error(`There is no workload "${name}".`);
  makeSourceTree(SOURCE, work.generation);
  await workload(work);
}

/** Makes the storage units that the workloads use. */
export async function furnish(stack: Pick<Stack, 'ask'>): Promise<void> {
  const { units } = await stack.ask<{ units: { mediaId: string; pool: string }[] }>('broker.units');
  const { mediaId, pool } = units[0]!;
  // The smallest fragments that there may be: several to each backup.
  const unit = { name: UNIT, mediaId, pool, fragmentBytesMax: 2 * 1024 * 1024 };
  await stack.ask('broker.unit-put', { unit });
}

/** Resolves with the job when it has ended. */
export async function untilDone(stack: Pick<Stack, 'ask'>, job: number): Promise<JobView> {
  for (;;) {
    const { job: view } = await stack.ask<{ job: JobView }>('jobs.get', { job });
    if (view.state === 'done') return view;
    await sleep(POLL_MS);
  }
}

async function backUp(
  { stack, generation, submitted }: Work,
  kind: 'full' | 'differential',
  part: string,
): Promise<void> {
  const selection = part === '' ? SOURCE : `${SOURCE}/${part}`;
  const request = { client: CLIENT, kind, selections: [selection], storage: UNIT };
  const { job } = await stack.ask<{ job: number }>('jobs.backup', request);
  submitted({ job, selection, generation });
  await untilDone(stack, job);
}
