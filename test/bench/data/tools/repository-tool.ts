import { join } from 'node:path';
import type { DataTool, DataWork } from '../data-tool.js';
import { NO_SERVERS } from '../usage/usage.js';

/** A tool of which nothing runs between its commands, and which keeps all backups in one folder. */
export abstract class RepositoryTool implements Omit<DataTool, 'name' | 'steps'> {
  protected work!: DataWork;

  async prepare(work: DataWork): Promise<void> {
    this.work = work;
    await this.makeStore();
  }

  servers() {
    return NO_SERVERS;
  }

  get stores(): string[] {
    return [this.store];
  }

  async stop(): Promise<void> {
    // Nothing runs.
  }

  protected get store(): string {
    return join(this.work.folder, 'store');
  }

  protected abstract makeStore(): Promise<unknown>;
}
