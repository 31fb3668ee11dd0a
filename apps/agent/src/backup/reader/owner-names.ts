import { readFileSync } from 'node:fs';

import { codeOf } from '#kernel/errors.js';
import type { ByteString } from '#archive/path-text.js';

/** Names of users and groups by number, as the client's own files have them. */
export interface OwnerNames {
  user(uid: number): ByteString;
  group(gid: number): ByteString;
}

/** Reads `/etc/passwd` and `/etc/group` once. Where one is missing, names are left out. */
export function readOwnerNames(): OwnerNames {
  const users = namesOf('/etc/passwd');
  const groups = namesOf('/etc/group');
  return {
    user: (uid) => users.get(uid) ?? '',
    group: (gid) => groups.get(gid) ?? '',
  };
}

function namesOf(file: string): Map<number, ByteString> {
  const names = new Map<number, ByteString>();
  for (const line of contentOf(file).split('\n')) {
    const [name, , id] = line.split(':');
    if (name && id && /^\d+$/.test(id) && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (['ENOENT', 'EACCES'].includes(codeOf(error) ?? '')) return '';
    throw error;
  }
}
