import { readFileSync } from 'node:fs';

import type { ByteString } from '#archive/path-text.js';

import { fsType } from '../../posix/posix.js';

/** File systems that the kernel makes up: nobody can restore them, and some hang whoever reads them. */
const MADE_UP: ReadonlySet<string> = new Set([
  'autofs',
  'binfmt_misc',
  'bpf',
  'cgroup',
  'cgroup2',
  'configfs',
  'debugfs',
  'devpts',
  'devtmpfs',
  'efivarfs',
  'fusectl',
  'hugetlbfs',
  'mqueue',
  'nsfs',
  'proc',
  'pstore',
  'rpc_pipefs',
  'securityfs',
  'sysfs',
  'tracefs',
]);

/** Knows the kinds of the file systems that were mounted when it was made. */
export class FileSystems {
  readonly #types = mountedTypes();

  /** The kind of the file system with the device number `major:minor`, mounted at `path`. */
  typeOf(device: string, path: ByteString): string {
    return this.#types.get(device) ?? fsType(path);
  }

  isMadeUp(type: string): boolean {
    return MADE_UP.has(type);
  }
}

/** From the kernel's table, since `statfs` gives devtmpfs the number of tmpfs. */
function mountedTypes(): Map<string, string> {
  const types = new Map<string, string>();
  let table: string;
  try {
    table = readFileSync('/proc/self/mountinfo', 'latin1');
  } catch {
    return types; // no such table on this system: `statfs` has to do
  }
  for (const line of table.split('\n')) {
    const device = line.split(' ', 3)[2];
    const type = / - (\S+) /.exec(line)?.[1];
    if (device && type) types.set(device, type);
  }
  return types;
}
