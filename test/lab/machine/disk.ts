import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { runCommand } from '../../../apps/standalone/src/servers/system/command.js';
import type { LabTools } from './lab-tools.js';

/**
 * What the volumes lie on. `ext4` is what most people have, `btrfs` can share blocks between files. Both commit names of
 * several files together, so that a sync of one carries the names of others along; `bare-ext4`, without its journal, does
 * not, and shows where a folder's own sync is missing.
 */
export const FILESYSTEMS = ['ext4', 'btrfs', 'bare-ext4'] as const;
export type VolumeFilesystem = (typeof FILESYSTEMS)[number];

/**
 * Without a journal a folder that was deleted may still be one on the disk while its block is part of a new folder. After
 * a loss e2fsck finds a block with two owners, copies it, and gives what it holds to either of them: seen here when an
 * image's folder had the block of an emptied trash, with all of its fragments in `lost+found` afterwards. No program can
 * sync that away.
 */
export const SURVIVES_DELETIONS: Readonly<Record<VolumeFilesystem, boolean>> = {
  ext4: true,
  btrfs: true,
  'bare-ext4': false,
};

/** The disks of a guest: the volumes apart, so that no sync of PostgreSQL's writes their pages. */
export interface Disks {
  /** Missing while the cluster is set up. */
  readonly volume?: { readonly file: string; readonly filesystem: VolumeFilesystem };
  readonly rest: string;
}

/** Sparse: what is not written takes no room. */
const DISK_BYTES = 8 * 2 ** 30;
const COMMAND_MS_MAX = 120_000;
/** What e2fsck says when it has repaired something; 1 and 2 are bits. */
const REPAIRED_MAX = 3;

/** How the guest mounts it: nothing is written because time has passed. */
export const MOUNTS: Readonly<Record<VolumeFilesystem, { type: string; options: string }>> = {
  ext4: { type: 'ext4', options: 'commit=3600' },
  btrfs: { type: 'btrfs', options: 'commit=3600' },
  'bare-ext4': { type: 'ext4', options: 'rw' },
};

/** A disk for a cluster that is to be set up. */
export async function makeRestDisk(folder: string): Promise<Disks> {
  const disks = { rest: join(folder, 'rest.img') };
  makeEmpty(disks.rest);
  await run(['mkfs.ext4', '-q', '-F', disks.rest]);
  return disks;
}

/** A cluster that was set up once more, with an empty disk for its volumes; the guest fills it. */
export async function copyCluster(
  from: Disks,
  to: { readonly folder: string; readonly filesystem: VolumeFilesystem; readonly tools: LabTools },
): Promise<Disks> {
  const { folder, filesystem, tools } = to;
  const rest = join(folder, 'rest.img');
  await run(['cp', '--sparse=always', '--reflink=auto', from.rest, rest]);
  const file = join(folder, 'volume.img');
  makeEmpty(file);
  if (filesystem === 'btrfs') await run([tools.mkfsBtrfs, '-q', file]);
  else if (filesystem === 'ext4') await run(['mkfs.ext4', '-q', '-F', file]);
  else await run(['mkfs.ext4', '-q', '-F', '-O', '^has_journal', file]);
  return { rest, volume: { file, filesystem } };
}

/** What a machine does before it mounts a file system that has no journal of its own. What was repaired is kept. */
export async function checkDisks({ volume }: Disks): Promise<void> {
  if (volume?.filesystem !== 'bare-ext4') return;
  const said = await run(['e2fsck', '-f', '-y', volume.file], REPAIRED_MAX);
  appendFileSync(join(dirname(volume.file), 'e2fsck.log'), `${said}\n`);
}

function makeEmpty(file: string): void {
  writeFileSync(file, '');
  truncateSync(file, DISK_BYTES);
}

async function run([command, ...args]: [string, ...string[]], codeMax = 0): Promise<string> {
  const { code, stdout, stderr } = await runCommand(command, args, { timeoutMs: COMMAND_MS_MAX });
  if (code > codeMax) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}
