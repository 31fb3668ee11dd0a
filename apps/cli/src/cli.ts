import { resolve } from 'node:path';
import type { Clock } from '#kernel/clock.js';
import type { Cluster } from './cluster/cluster.js';
import { packageFolder } from './cluster/package-folder.js';
import type { Environment } from './environment.js';
import { EXIT } from './exit-codes.js';
import { Output, type Sink } from './output/output.js';

/** What the command line gets from outside: tests hand in their own. */
export interface CliWorld {
  readonly out: Sink;
  readonly err: Sink;
  readonly environment: Environment;
  readonly workingFolder: string;
  readonly clock: Clock;
  /** Calls back on the first Ctrl-C (or TERM, HUP); the result puts the usual behaviour back. */
  onInterrupt(callback: () => void): () => void;
}

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: true;
  readonly data?: string;
  readonly nats?: string;
  readonly credentials?: string;
}

/** One run of the command line: its options, its output and the way to the cluster. */
export class Cli {
  /** What the shell gets in the end. */
  exitCode: number = EXIT.ok;
  readonly output: Output;

  constructor(
    readonly world: CliWorld,
    readonly options: GlobalOptions,
  ) {
    this.output = new Output(world.out, world.err, {
      json: options.json ?? false,
      plain: world.environment.plain,
    });
  }

  /** `--data`, `HOLDFAST_DATA`, or `.holdfast` of the checkout. */
  get dataFolder(): string {
    const { data } = this.options;
    const chosen = data ?? this.world.environment.dataFolder;
    if (chosen !== undefined) return resolve(this.world.workingFolder, chosen);
    return resolve(packageFolder(), '.holdfast');
  }

  /** True if nobody named a data folder. */
  get dataFolderIsDefault(): boolean {
    return (this.options.data ?? this.world.environment.dataFolder) === undefined;
  }

  now(): Date {
    return this.world.clock.now();
  }

  /** Connects, lets `work` do its part, and closes. What it loads is loaded here and not before. */
  async withCluster<T>(work: (cluster: Cluster) => Promise<T>): Promise<T> {
    const [{ findCluster }, { Cluster }] = await Promise.all([
      import('./cluster/find-cluster.js'),
      import('./cluster/cluster.js'),
    ]);
    const { nats, credentials } = this.options;
    const cluster = await Cluster.connect(
      findCluster({ dataFolder: this.dataFolder, nats, credentials }),
    );
    try {
      return await work(cluster);
    } finally {
      await cluster.close();
    }
  }

  /** Answers with a JSON document, or in words. */
  answer(document: unknown, inWords: (output: Output) => void): void {
    if (this.output.json) this.output.document(document);
    else inWords(this.output);
  }
}
