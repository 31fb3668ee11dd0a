import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { PermanentError, Unavailable } from '#kernel/errors.js';
import { unpackDebianPackage } from '../../../apps/standalone/src/servers/debian/debian-package.js';
import { runCommand } from '../../../apps/standalone/src/servers/system/command.js';
import { lockFile } from '../../../apps/standalone/src/servers/system/file-lock.js';

/** What the lab runs and what no machine has installed: taken out of Debian's packages, not installed. */
export interface LabTools {
  /** A Linux kernel that runs as an ordinary process. */
  readonly kernel: string;
  readonly mkfsBtrfs: string;
}

/** The release whose kernel is known to run the whole cluster; it needs libc and nothing else. */
const RELEASE = 'bookworm';
const FETCH_WAIT_MS_MAX = 600_000;

const FILES = {
  kernel: { name: 'user-mode-linux', file: 'usr/bin/linux.uml' },
  mkfsBtrfs: { name: 'btrfs-progs', file: 'sbin/mkfs.btrfs' },
} as const;

/** Finds them in the checkout's cache, and fetches what is missing from the machine's Debian mirror. */
export async function prepareTools(
  checkout: string,
  say: (line: string) => void,
): Promise<LabTools> {
  await requireCommands();
  const cache = join(checkout, '.cache', 'lab');
  mkdirSync(cache, { recursive: true });
  const lock = lockFile(join(cache, 'lock'), FETCH_WAIT_MS_MAX);
  if (!lock) throw new Unavailable('Another process has been fetching the lab for ten minutes.');
  try {
    return {
      kernel: await findOrFetch(cache, FILES.kernel, say),
      mkfsBtrfs: await findOrFetch(cache, FILES.mkfsBtrfs, say),
    };
  } finally {
    lock.release();
  }
}

async function findOrFetch(
  cache: string,
  { name, file }: { name: string; file: string },
  say: (line: string) => void,
): Promise<string> {
  const target = join(cache, file.replace(/^.*\//, ''));
  if (existsSync(target)) return target;
  say(`Fetching ${name} from Debian ${RELEASE} (once) ...`);
  const request = { name, release: RELEASE, workFolder: cache, env: process.env };
  const unpacked = await unpackDebianPackage(request);
  try {
    copyFileSync(join(unpacked.root, file), `${target}.new`);
    chmodSync(`${target}.new`, 0o755);
    renameSync(`${target}.new`, target);
  } finally {
    unpacked.discard();
  }
  return target;
}

/** Those that the host runs, and those that the guest runs: it sees the host's own files. */
async function requireCommands(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new PermanentError(12, "The lab runs as root: its guest reads the host's files as root.");
  }
  for (const [command, debianPackage] of [
    ['mkfs.ext4', 'e2fsprogs'],
    ['e2fsck', 'e2fsprogs'],
    ['ip', 'iproute2'],
    ['mount', 'mount'],
  ] as const) {
    const found = await runCommand('sh', ['-c', `command -v ${command}`]);
    if (found.code === 0) continue;
    throw new PermanentError(25, `"${command}" is missing: apt-get install ${debianPackage}`);
  }
}
