import { join } from 'node:path';
import type { DataTool, DataWork } from '../data-tool.js';
import { NO_SERVERS } from '../usage/usage.js';
import { command } from './command.js';

const PASSWORD = 'bench';

/** restic with its defaults: encrypted, compressed, without duplicates. */
export class ResticTool implements DataTool {
  readonly name = 'restic';
  private work!: DataWork;

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

  async prepare(work: DataWork): Promise<void> {
    this.work = work;
    await this.restic('init');
    // Cut in the same places, so that a copy needs no more room.
    await this.on(this.second, 'init', ...this.fromStore, '--copy-chunker-params');
  }

  servers() {
    return NO_SERVERS;
  }

  get stores(): string[] {
    return [this.store];
  }

  async stop(): Promise<void> {
    // Nothing runs between its commands.
  }

  private get store(): string {
    return join(this.work.folder, 'store');
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
