import { mkdirSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';
import { Campaign, type LabPlace } from './campaign.js';
import { START_MS_MAX } from './examine.js';
import { WORKLOADS } from './guest/workloads.js';
import { bootGuest, Chronicle, cutAllPower, cutPower, despiteCrashes } from './lab-guest.js';
import { labOptions, replayArguments, USAGE, type LabOptions } from './lab-options.js';
import { EXPIRE, planLosses } from './loss-plan.js';
import { makeRestDisk, SURVIVES_DELETIONS, type Disks } from './machine/disk.js';
import { prepareTools } from './machine/lab-tools.js';
import { prove, PROOFS } from './proof.js';

/**
 * `npm run test:lab [-- OPTIONS]`: takes the power of a machine that runs a whole cluster, again and again, and looks
 * whether everything that was promised is there. docs/verification.md says more.
 */
const INTERRUPTED = 130;
const USAGE_STATUS = 64;

const begun = performance.now();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => void cutAllPower().finally(() => process.exit(INTERRUPTED)));
}
process.exit(await main());

async function main(): Promise<number> {
  const options = labOptions(process.argv.slice(2), Math.random());
  if (typeof options === 'string') {
    console.error(`${options}\n${USAGE}`);
    return USAGE_STATUS;
  }
  const folder = await temporaryFolder();
  const findings: string[] = [];
  try {
    await lab(folder, options, findings);
  } catch (error) {
    const plain = error instanceof PermanentError || error instanceof Unavailable;
    findings.push(plain || !(error instanceof Error) ? messageOf(error) : error.stack!);
  } finally {
    await cutAllPower();
  }
  const again = `npm run test:lab -- ${replayArguments(options)}`;
  if (findings.length === 0) {
    await removeFolder(folder);
    say(`Nothing found. The same losses again: ${again}`);
    return 0;
  }
  const kept = join(tmpdir(), `holdfast-lab-${options.seed}-${process.pid}`);
  renameSync(folder, kept);
  console.log(`\n${findings.join('\n')}\n\nDisks and consoles are kept in ${kept}.`);
  say(`${findings.length} FINDINGS. The same losses again: ${again}`);
  return 1;
}

async function lab(folder: string, options: LabOptions, findings: string[]): Promise<void> {
  const checkout = checkoutFolder();
  const place = { checkout, folder, say, tools: await prepareTools(checkout, say) };
  const works: (() => Promise<readonly string[]>)[] = [];
  say(`seed ${options.seed}, ${options.losses} losses, ${options.filesystems.join(' and ')}`);
  const base = await despiteCrashes(say, 'set-up', () => makeBase(place));
  for (const [index, filesystem] of options.filesystems.entries()) {
    const count = shareOf(options.losses, index, options.filesystems.length);
    if (count === 0) continue;
    const workloads = Object.keys(WORKLOADS).filter(
      (name) => name !== EXPIRE || SURVIVES_DELETIONS[filesystem],
    );
    const losses = planLosses({ seed: options.seed + index, count, workloads });
    works.push(async () => {
      const campaign = await Campaign.prepare(place, base, filesystem);
      return campaign.run(losses);
    });
  }
  const proofs = PROOFS.filter(({ filesystem }) => options.filesystems.includes(filesystem));
  for (const proof of options.proofs ? proofs : []) works.push(() => prove(place, base, proof));
  await inLanes(
    options.guests,
    works.map((work) => async () => void findings.push(...(await work()))),
  );
}

/** Runs all, so many at a time. */
async function inLanes(lanes: number, works: readonly (() => Promise<void>)[]): Promise<void> {
  const waiting = [...works];
  const lane = async (): Promise<void> => {
    for (let work = waiting.shift(); work; work = waiting.shift()) await work();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** A cluster that was set up, and stopped. */
async function makeBase(place: LabPlace): Promise<Disks> {
  const folder = join(place.folder, 'base');
  mkdirSync(folder, { recursive: true });
  const disks = await makeRestDisk(folder);
  const { checkout, tools } = place;
  const guest = await bootGuest({ checkout, kernel: tools.kernel, disks, folder }, new Chronicle());
  try {
    await guest.call('start', {}, START_MS_MAX);
    await guest.call('furnish', {}, START_MS_MAX);
    await guest.call('settle', {}, START_MS_MAX);
  } finally {
    await cutPower(guest);
  }
  return disks;
}

function shareOf(total: number, index: number, parts: number): number {
  return Math.floor((total + parts - 1 - index) / parts);
}

function say(line: string): void {
  const seconds = (performance.now() - begun) / 1_000;
  console.log(`${seconds.toFixed(0).padStart(5)} s  ${line}`);
}
