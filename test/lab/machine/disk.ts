import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runCommand } from '../../../apps/standalone/src/servers/system/command.js';
import type { LabTools } from './lab-tools.js';

/**
 * What the media server's volume lies on. `ext4` is what most people have. It commits all names and sizes together, so
 * that a sync of one file carries the names of others along; `btrfs` syncs each file by itself, and shows where a
 * folder's own sync is missing.
 */
export type VolumeFilesystem = 'ext4' | 'btrfs';

/** The two disks of a guest: the volume apart, so that no sync of PostgreSQL's writes its pages. */
export interface Disks {
  readonly volume: string;
  readonly rest: string;
  readonly filesystem: VolumeFilesystem;
}

/** Sparse: what is not written takes no room. */
const DISK_BYTES = 8 * 2 ** 30;
const COMMAND_MS_MAX = 120_000;

export async function makeDisks(
  folder: string,
  filesystem: VolumeFilesystem,
  tools: LabTools,
): Promise<Disks> {
  const disks = disksIn(folder, filesystem);
  for (const file of [disks.volume, disks.rest]) {
    writeFileSync(file, '');
    truncateSync(file, DISK_BYTES);
  }
  await run('mkfs.ext4', '-q', '-F', disks.rest);
  if (filesystem === 'btrfs') await run(tools.mkfsBtrfs, '-q', disks.volume);
  else await run('mkfs.ext4', '-q', '-F', disks.volume);
  return disks;
}

/** The same disks once more, in another folder. */
export async function copyDisks(from: Disks, folder: string): Promise<Disks> {
  const disks = disksIn(folder, from.filesystem);
  await run('cp', '--sparse=always', '--reflink=auto', from.volume, disks.volume);
  await run('cp', '--sparse=always', '--reflink=auto', from.rest, disks.rest);
  return disks;
}

function disksIn(folder: string, filesystem: VolumeFilesystem): Disks {
  return { volume: join(folder, 'volume.img'), rest: join(folder, 'rest.img'), filesystem };
}

async function run(command: string, ...args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runCommand(command, args, { timeoutMs: COMMAND_MS_MAX });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`);
}
