import { join } from 'node:path';
import type { DataTool, DataWork } from '../data-tool.js';
import { NO_SERVERS } from '../usage/usage.js';
import { command } from './command.js';

/** Borg, encrypted with its fastest authentication, compressed with its default (LZ4). It has no command that duplicates. */
export class BorgTool implements DataTool {
  readonly name = 'borg';
  private work!: DataWork;

  readonly steps = {
    full: () => this.create('full'),
    'nothing changed': () => this.create('same'),
    changed: () => this.create('changed'),
    restore: () => this.borg(['extract', `${this.store}::changed`], this.work.restored),
    list: () => this.borg(['list', `${this.store}::full`]),
    find: () => this.find(),
    verify: () => this.borg(['check', '--verify-data', this.store]),
  };

  async prepare(work: DataWork): Promise<void> {
    this.work = work;
    await this.borg(['init', '-e', 'repokey-blake2', this.store]);
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

  private create(archive: string): Promise<string> {
    return this.borg(['create', `${this.store}::${archive}`, this.work.corpus.folder]);
  }

  /** It lists one archive at a time; its user would look in the newest. */
  private find(): Promise<string> {
    return this.borg(['list', `${this.store}::changed`, `sh:**/${this.work.corpus.findName}`]);
  }

  private borg(args: readonly string[], cwd = this.work.folder): Promise<string> {
    return command(['borg', ...args], {
      cwd,
      env: {
        BORG_PASSPHRASE: 'bench',
        BORG_BASE_DIR: join(this.work.folder, 'base'),
        BORG_CHECK_I_KNOW_WHAT_I_AM_DOING: 'YES',
      },
    });
  }
}
