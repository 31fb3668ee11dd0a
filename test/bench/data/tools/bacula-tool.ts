import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Bacula } from '../../bacula/bacula.js';
import type { DataTool, DataWork } from '../data-tool.js';
import type { Servers } from '../usage/usage.js';

const JOB = 'corpus';
const JOBS_AT_ONCE = 10;

/**
 * Bacula as it is shipped: SHA-1 of each file, no compression, not "accurate", which makes restores
 * bring back what was deleted, and everything a little faster. It verifies job by job: the full alone
 * is verified, which is nearly everything.
 */
export class BaculaTool implements DataTool {
  readonly name = 'Bacula';
  readonly bringsBack = true;
  private work!: DataWork;
  private bacula!: Bacula;
  private fullJob = 0;

  readonly steps = {
    full: async () => (this.fullJob = await this.bacula.backup(JOB, 'Full')),
    'nothing changed': () => this.bacula.backup(JOB, 'Incremental'),
    changed: () => this.bacula.backup(JOB, 'Incremental'),
    restore: () => this.bacula.restore(JOB, this.work.restored),
    list: () => this.bacula.listFiles(this.fullJob),
    find: () => this.bacula.find(this.work.corpus.findName),
    verify: () => this.bacula.verify(JOB, this.fullJob),
    duplicate: () => this.bacula.copyAll(),
  };

  async prepare(work: DataWork): Promise<void> {
    this.work = work;
    const folder = join(work.folder, 'bacula');
    mkdirSync(folder);
    const jobs = [{ name: JOB, folder: work.corpus.folder }];
    this.bacula = await Bacula.start({ folder, jobs, jobsAtOnceMax: JOBS_AT_ONCE });
  }

  servers(): Servers {
    return { pids: this.bacula.pids, dataPath: ['director', 'storage', 'client'] };
  }

  get stores(): string[] {
    return [this.bacula.volumes('backups')];
  }

  stop(): Promise<void> {
    return this.bacula.stop();
  }
}
