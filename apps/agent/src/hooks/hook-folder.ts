import type { Stats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { codeOf, messageOf } from '#kernel/errors.js';

/** The group or everybody: whoever may write here may have the agent run anything. */
const WRITABLE_BY_OTHERS = 0o022;
const EXECUTABLE = 0o111;

/** A hook that is not run, with the reason: what to do about it. */
export class HookRefused extends Error {
  override readonly name = 'HookRefused';
}

/**
 * The folder with the commands that an administrator of this client has put there to be run around backups. Nothing
 * else is ever run: a job names a file in it, and no more.
 */
export class HookFolder {
  /** @param owner user id of the agent; root's files are trusted, too */
  constructor(
    readonly path: string,
    private readonly owner: number,
  ) {}

  /** The path of a hook that may be run. @throws HookRefused */
  async find(script: string): Promise<string> {
    await this.checkFolder();
    const path = join(this.path, script);
    const file = await lookAt(path, lstat);
    if (!file) throw new HookRefused(`there is no file ${script} in the hook folder ${this.path}.`);
    if (!file.isFile()) throw new HookRefused(`${path} is no regular file.`);
    this.checkRights(path, file);
    if ((file.mode & EXECUTABLE) === 0) {
      throw new HookRefused(`${path} is not executable. Run: chmod 755 ${path}`);
    }
    return path;
  }

  private async checkFolder(): Promise<void> {
    const folder = await lookAt(this.path, stat);
    if (!folder?.isDirectory()) {
      throw new HookRefused(
        `this client has no hook folder ${this.path}. Make it there, or name another with HOLDFAST_AGENT_HOOKS.`,
      );
    }
    this.checkRights(this.path, folder);
  }

  private checkRights(path: string, { uid, mode }: Stats): void {
    if (uid !== 0 && uid !== this.owner) {
      throw new HookRefused(
        `${path} belongs to user ${uid}, not to root or the agent's user. Run: chown root ${path}`,
      );
    }
    if ((mode & WRITABLE_BY_OTHERS) !== 0) {
      throw new HookRefused(`${path} can be written by others. Run: chmod go-w ${path}`);
    }
  }
}

async function lookAt(
  path: string,
  look: (path: string) => Promise<Stats>,
): Promise<Stats | undefined> {
  try {
    return await look(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new HookRefused(`${path} cannot be looked at: ${messageOf(error)}`);
  }
}
