import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { runCommand } from './command.js';

/** A user of this machine, as a process is started for it. */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export function runsAsRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Whom PostgreSQL runs as, since it refuses to run as root: `undefined` (ourselves) for an ordinary
 * user; for root the owner of the cluster that exists, else the user `postgres`, else `nobody`.
 */
export function postgresUser(cluster: string): SystemUser | undefined {
  if (!runsAsRoot()) {
    return undefined;
  }
  const owner = existsSync(cluster) ? statSync(cluster) : undefined;
  if (owner !== undefined && owner.uid !== 0) {
    return { name: nameOf(owner.uid), uid: owner.uid, gid: owner.gid };
  }
  return userNamed('postgres') ?? userNamed('nobody');
}

/** Whether a user can enter a folder, asked of the system itself, so that ACLs count too. */
export async function canEnter(user: SystemUser | undefined, folder: string): Promise<boolean> {
  // What is in our own environment, a password perhaps, that user could read.
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin' };
  return (await runCommand('test', ['-x', folder], { user, env })).code === 0;
}

/** The topmost folder on the way to `folder` that the user cannot enter, if there is one. */
export async function firstBarrier(
  user: SystemUser | undefined,
  folder: string,
): Promise<string | undefined> {
  if (await canEnter(user, folder)) {
    return undefined;
  }
  const way = [resolve(folder)];
  for (let at = dirname(way[0] ?? '/'); at !== way[0]; at = dirname(at)) {
    way.unshift(at);
  }
  for (const step of way) {
    if (!(await canEnter(user, step))) {
      return step;
    }
  }
  return undefined;
}

function userNamed(name: string): SystemUser | undefined {
  const fields = users().find((user) => user[0] === name);
  return fields && { name, uid: Number(fields[2]), gid: Number(fields[3]) };
}

function nameOf(uid: number): string {
  return users().find((user) => Number(user[2]) === uid)?.[0] ?? String(uid);
}

function users(): string[][] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
}
