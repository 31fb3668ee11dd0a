import { join } from 'node:path';
import type { DataTool } from '../data-tool.js';
import { command } from './command.js';
import { RepositoryTool } from './repository-tool.js';

/** Borg, encrypted with its fastest authentication, compressed with its default (LZ4). It has no command that duplicates. */
export class BorgTool extends RepositoryTool implements DataTool {
  readonly name = 'borg';

  readonly steps = {
    full: () => this.create('full'),
    'nothing changed': () => this.create('same'),
    changed: () => this.create('changed'),
    restore: () => this.borg(['extract', `${this.store}::changed`], this.work.restored),
    list: () => this.borg(['list', `${this.store}::full`]),
    find: () => this.find(),
    verify: () => this.borg(['check', '--verify-data', this.store]),
  };

  protected makeStore(): Promise<string> {
    return this.borg(['init', '-e', 'repokey-blake2', this.store]);
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
