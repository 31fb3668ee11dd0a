import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { describeExamination, type LabPlace } from './campaign.js';
import { examine, START_MS_MAX } from './examine.js';
import { bootGuest, Chronicle, cutPower, despiteCrashes } from './lab-guest.js';
import { copyCluster, type Disks, type VolumeFilesystem } from './machine/disk.js';
import type { Sabotage } from './protocol.js';

/** One sync that is left out on purpose, and what of it the lab has to find. */
export interface Proof {
  readonly name: string;
  readonly filesystem: VolumeFilesystem;
  /** Workloads that follow one another; the power goes when the last one's image (or copy) is COMPLETE. */
  readonly works: readonly string[];
  /** Missing where everything is synced and nothing may be found. */
  readonly mistake?: { readonly sabotage: Sabotage; readonly isFoundAs: RegExp };
}

const BACKUP = 'full';
/** With no chance: within the first media server. */
const COPY = 'duplicate';

/** Each skips one of the syncs on the way of a fragment; nothing else is changed. */
export const PROOFS: readonly Proof[] = [
  { name: 'every sync', filesystem: 'ext4', works: [BACKUP, COPY] },
  {
    name: "no sync of a fragment's data",
    ...{ filesystem: 'ext4', works: [BACKUP] },
    mistake: mistake(
      String.raw`\.tar\.zst(\.partial)?$`,
      /its data is (missing|different)|DAMAGED/,
    ),
  },
  {
    name: "no sync of a fragment's index",
    ...{ filesystem: 'ext4', works: [BACKUP] },
    mistake: mistake(
      String.raw`\.idx\.zst(\.partial)?$`,
      /its index is (missing|different)|DAMAGED/,
    ),
  },
  {
    name: "no sync of a fragment's manifest",
    ...{ filesystem: 'ext4', works: [BACKUP] },
    mistake: mistake(
      String.raw`\.json(\.partial)?$`,
      /its manifest (is missing|cannot be read)|DAMAGED/,
    ),
  },
  {
    name: 'no sync of the journal',
    ...{ filesystem: 'ext4', works: [BACKUP] },
    mistake: mistake(String.raw`/journal/journal-\d+\.log$`, /journal (has it|is damaged|never)/),
  },
  { name: 'every sync', filesystem: 'btrfs', works: [BACKUP, COPY] },
  {
    name: "no sync of a copy's data",
    ...{ filesystem: 'btrfs', works: [BACKUP, COPY] },
    mistake: mistake(
      String.raw`/near/.*\.tar\.zst(\.partial)?$`,
      /its data is (missing|different)|DAMAGED/,
    ),
  },
  { name: 'every sync', filesystem: 'bare-ext4', works: [BACKUP, COPY] },
  {
    name: "no sync of the fragments' folder",
    ...{ filesystem: 'bare-ext4', works: [BACKUP] },
    mistake: mistake(String.raw`/c\d+$`, /is missing|DAMAGED/),
  },
];

const WORK_MS_MAX = 600_000;

function mistake(skipSyncOf: string, isFoundAs: RegExp): NonNullable<Proof['mistake']> {
  return { sabotage: { skipSyncOf }, isFoundAs };
}

/**
 * Works, and cuts the power the moment that the last image (or copy) is seen COMPLETE: all that was promised has to be there.
 * Resolves with what is wrong with the lab (or, where every sync is made, with what it has found).
 */
export function prove(place: LabPlace, base: Disks, proof: Proof): Promise<string[]> {
  const title = `${proof.filesystem}, ${proof.name}`;
  return despiteCrashes(place.say, title, () => proveOnce(place, base, { ...proof, title }));
}

async function proveOnce(
  place: LabPlace,
  base: Disks,
  proof: Proof & { readonly title: string },
): Promise<string[]> {
  const { title, filesystem } = proof;
  const folder = join(place.folder, title.replaceAll(/[^a-z0-9]+/g, '-'));
  mkdirSync(folder, { recursive: true });
  const disks = await copyCluster(base, { folder, filesystem, tools: place.tools });
  const chronicle = new Chronicle();
  const plan = { checkout: place.checkout, kernel: place.tools.kernel, disks, folder };
  const guest = await bootGuest(plan, chronicle);
  try {
    const { mistake: made } = proof;
    await guest.call('start', made ? { sabotage: made.sabotage } : {}, START_MS_MAX);
    for (const workload of proof.works) {
      const completed = chronicle.until({ after: 'completed', ms: 0 });
      const request = { workload, generation: 0, chance: 0 };
      const worked = guest.call('work', request, WORK_MS_MAX);
      worked.catch(() => undefined); // the power goes before it can answer
      await Promise.race([completed, worked]);
    }
  } finally {
    await cutPower(guest);
  }
  const after = await bootGuest(plan, chronicle);
  try {
    const examination = await examine(after, chronicle, new Set());
    return report(place, title, proof, examination);
  } finally {
    await cutPower(after);
  }
}

function report(
  place: LabPlace,
  title: string,
  { mistake: made }: Proof,
  examination: Awaited<ReturnType<typeof examine>>,
): string[] {
  const { findings } = examination;
  if (!made) {
    place.say(`${title}: ${describeExamination(examination)}`);
    return [...findings];
  }
  const found = findings.filter((finding) => made.isFoundAs.test(finding));
  if (found.length > 0) {
    place.say(`${title}: found, as it should be (${findings.length} findings): ${found[0]}`);
    return [];
  }
  const wrong = `${title}: NOT found, which makes this lab worthless`;
  place.say(`${wrong}. ${describeExamination(examination)}`);
  return [wrong];
}
