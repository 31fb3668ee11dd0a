import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';
import { Campaign, type LabPlace } from './campaign.js';
import { WORKLOADS } from './guest/workloads.js';
import { bootGuest, Chronicle, cutAllPower, cutPower } from './lab-guest.js';
import { planLosses } from './loss-plan.js';
import { makeDisks, type Disks, type VolumeFilesystem } from './machine/disk.js';
import { prepareTools } from './machine/lab-tools.js';
import { START_MS_MAX } from './examine.js';

const { values } = parseArgs({
  options: {
    losses: { type: 'string', default: '20' },
    seed: { type: 'string' },
    filesystem: { type: 'string', default: 'ext4' },
  },
});
const begun = performance.now();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => void cutAllPower().finally(() => process.exit(130)));
}
process.exit(await lab());

async function lab(): Promise<number> {
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
  const say = (line: string): void => {
    console.log(`${((performance.now() - begun) / 1_000).toFixed(0).padStart(5)} s  ${line}`);
  };
  const folder = await temporaryFolder();
  try {
    const checkout = checkoutFolder();
    const place: LabPlace = { checkout, folder, say, tools: await prepareTools(checkout, say) };
    const base = await makeBase(place, values.filesystem as VolumeFilesystem);
    say(`seed ${seed}`);
    const losses = planLosses({
      seed,
      count: Number(values.losses),
      workloads: Object.keys(WORKLOADS),
    });
    const campaign = await Campaign.prepare(place, base, values.filesystem);
    const findings = await campaign.run(losses);
    return findings.length > 0 ? 1 : 0;
  } catch (error) {
    const plain = error instanceof PermanentError || error instanceof Unavailable;
    console.error(plain || !(error instanceof Error) ? messageOf(error) : error.stack);
    return 2;
  } finally {
    await cutAllPower();
    await removeFolder(folder);
  }
}

/** A cluster that was set up, and stopped. */
async function makeBase(place: LabPlace, filesystem: VolumeFilesystem): Promise<Disks> {
  const folder = join(place.folder, `base-${filesystem}`);
  mkdirSync(folder);
  const disks = await makeDisks(folder, filesystem, place.tools);
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
