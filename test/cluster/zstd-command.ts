import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { checkoutFolder, serverCache } from '../../apps/standalone/src/servers/checkout-folder.js';
import { unpackDebianPackage } from '../../apps/standalone/src/servers/debian/debian-package.js';
import { runCommand } from '../../apps/standalone/src/servers/system/command.js';

/** The `zstd` command: the machine's, else Debian's, unpacked into the cache as nats-server is. */
export async function zstdCommand(): Promise<string> {
  const cached = join(serverCache(checkoutFolder(), process.env), 'zstd');
  for (const path of ['zstd', cached]) {
    if ((await runCommand(path, ['--version'])).code === 0) return path;
  }
  await fetchInto(cached);
  return cached;
}

async function fetchInto(cached: string): Promise<void> {
  const workFolder = join(cached, '..');
  if (!existsSync(workFolder)) mkdirSync(workFolder, { recursive: true });
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const { root, discard } = await unpackDebianPackage({
    name: 'zstd',
    release: release ?? 'stable',
    workFolder,
    env: process.env,
  });
  try {
    const draft = `${cached}.${process.pid}`;
    copyFileSync(join(root, 'usr/bin/zstd'), draft);
    chmodSync(draft, 0o755);
    renameSync(draft, cached);
  } finally {
    discard();
  }
}
