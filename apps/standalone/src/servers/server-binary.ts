import { accessSync, constants, realpathSync } from 'node:fs';
import { join } from 'node:path';

import { runCommand } from './system/command.js';

/** A server that can be started here. */
export interface ServerBinary {
  /** The executable, links resolved. */
  readonly path: string;
  /** `2.10.27`, `15.18`. */
  readonly version: string;
}

/**
 * The executable as it calls itself with `--version`; `undefined` where it does not run, or is not
 * `product` ("nats-server", "PostgreSQL").
 */
export async function probeBinary(
  path: string,
  product: string,
): Promise<ServerBinary | undefined> {
  if (!isExecutable(path)) {
    return undefined;
  }
  const said = await runCommand(path, ['--version'], { timeoutMs: 10_000 });
  const version = /\bv?(\d+(?:\.\d+)+)/.exec(said.stdout)?.[1];
  return said.code === 0 && said.stdout.includes(product) && version !== undefined
    ? { path: realpathSync(path), version }
    : undefined;
}

/** Where a command could be, in order: the PATH, then where Debian puts servers. */
export function commandPaths(name: string, env: NodeJS.ProcessEnv): string[] {
  const folders = (env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return [...new Set([...folders, '/usr/local/sbin', '/usr/sbin'])].map((each) => join(each, name));
}

/** Compares `2.9.10` with `2.10`: number by number. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [have, want] = [version, wanted].map((text) => text.split('.').map(Number));
  for (const [index, number] of (want ?? []).entries()) {
    const difference = (have?.[index] ?? 0) - number;
    if (difference !== 0) {
      return difference > 0;
    }
  }
  return true;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not for us
  }
}
