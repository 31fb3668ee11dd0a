import { join } from 'node:path';
import type { DataTool, DataWork } from '../data-tool.js';
import { NO_SERVERS } from '../usage/usage.js';
import { command } from './command.js';

/**
 * What every tool does at least, by the system's own commands: a backup walks and reads what is new, a restore writes.
 * It keeps nothing. Each command is one process at a time: who uses all processors can be quicker, by as many times.
 */
export class FloorTool implements DataTool {
  readonly name = 'floor';
  readonly stores: string[] = [];
  private work!: DataWork;

  readonly steps = {
    full: () => this.shell(`touch since && find '${this.source}' -type f -print0 | ${READ}`),
    'nothing changed': () => this.readChanges(),
    changed: () => this.readChanges(),
    restore: () => this.shell(`mkdir -p '${this.copy}' && cp -a '${this.source}/.' '${this.copy}'`),
  };

  prepare(work: DataWork): Promise<void> {
    this.work = work;
    return Promise.resolve();
  }

  servers() {
    return NO_SERVERS;
  }

  async stop(): Promise<void> {
    // Nothing runs between its commands.
  }

  private get source(): string {
    return this.work.corpus.folder;
  }

  private get copy(): string {
    return join(this.work.restored, this.source);
  }

  /** By the time of a file's inode, which changes with its content and with its name. */
  private readChanges(): Promise<string> {
    const newer = `find '${this.source}' -type f -cnewer '${join(this.work.folder, 'since')}'`;
    return this.shell(`${newer} -print0 | ${READ}`);
  }

  private shell(line: string): Promise<string> {
    return command(['bash', '-o', 'pipefail', '-c', line], { cwd: this.work.folder });
  }
}

/** Reads the files that are named on its input to their ends. */
const READ = 'xargs -0 -r cat > /dev/null';
