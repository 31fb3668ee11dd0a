import { join } from 'node:path';
import type { DataTool } from '../data-tool.js';
import { command } from './command.js';
import { RepositoryTool } from './repository-tool.js';

const PASSWORD = 'bench';

/** restic with its defaults: encrypted, compressed, without duplicates. */
export class ResticTool extends RepositoryTool implements DataTool {
  readonly name = 'restic';

  readonly steps = {
    full: () => this.restic('backup', this.work.corpus.folder),
    'nothing changed': () => this.restic('backup', this.work.corpus.folder),
    changed: () => this.restic('backup', this.work.corpus.folder),
    restore: () => this.restic('restore', 'latest', '--target', this.work.restored),
    list: () => this.restic('ls', 'latest'),
    find: () => this.restic('find', this.work.corpus.findName),
    verify: () => this.restic('check', '--read-data'),
    duplicate: () => this.on(this.second, 'copy', ...this.fromStore),
  };

  protected async makeStore(): Promise<void> {
    await this.restic('init');
    // Cut in the same places, so that a copy needs no more room.
    await this.on(this.second, 'init', ...this.fromStore, '--copy-chunker-params');
  }

  private get second(): string {
    return join(this.work.folder, 'second');
  }

  private get fromStore(): string[] {
    return ['--from-repo', this.store, '--from-password-command', `echo ${PASSWORD}`];
  }

  private restic(...args: readonly string[]): Promise<string> {
    return this.on(this.store, ...args);
  }

  private on(store: string, ...args: readonly string[]): Promise<string> {
    const cache = join(this.work.folder, 'cache');
    return command(['restic', '-r', store, ...args], {
      env: { RESTIC_PASSWORD: PASSWORD, RESTIC_CACHE_DIR: cache },
    });
  }
}
