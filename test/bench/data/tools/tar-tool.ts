import { mkdirSync } from 'node:fs';
import type { DataTool } from '../data-tool.js';
import { command } from './command.js';
import { RepositoryTool } from './repository-tool.js';

/** GNU tar's incremental archives through zstd: what the machine can do without a catalog. */
export class TarTool extends RepositoryTool implements DataTool {
  readonly name = 'tar';

  readonly steps = {
    full: () => this.archive('full'),
    'nothing changed': () => this.archive('same'),
    changed: () => this.archive('changed'),
    restore: () => this.restore(),
    list: () => this.shell('zstd -qdc full.tar.zst | tar -tf -'),
    find: () =>
      this.shell(`zstd -qdc full.tar.zst | tar -tf - | grep '/${this.work.corpus.findName}$'`),
    verify: () => this.shell('zstd -qt full.tar.zst && zstd -qt changed.tar.zst'),
  };

  protected async makeStore(): Promise<void> {
    mkdirSync(this.store);
  }

  /** Each after the full works on a copy of its listing: against the full. */
  private archive(name: string): Promise<string> {
    const path = this.work.corpus.folder.slice(1);
    const begin = name === 'full' ? '' : `cp full.list ${name}.list && `;
    const tar = `tar -C / --listed-incremental=${name}.list -cf - '${path}'`;
    return this.shell(`${begin}${tar} | zstd -q -T0 -o ${name}.tar.zst`);
  }

  private restore(): Promise<string> {
    const extract = (name: string) =>
      `zstd -qdc ${name}.tar.zst | tar -C '${this.work.restored}' --listed-incremental=/dev/null -xf -`;
    return this.shell(`${extract('full')} && ${extract('changed')}`);
  }

  /** Fails where any part of a pipe does. */
  private shell(line: string): Promise<string> {
    return command(['bash', '-o', 'pipefail', '-c', line], { cwd: this.store });
  }
}
