import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { connect, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node';

import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import {
  startSupervised,
  type SupervisedProcess,
} from '../../apps/standalone/src/servers/process-supervision.js';
import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import { livingProcess } from '../../apps/standalone/src/servers/system/process-identity.js';
import { startCli, type CliResult, type RunningCli } from './cluster-cli.js';
import { processesOf } from './processes.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';
import { until } from '../support/until.js';

/** The processes of a cluster, by what they do. */
export type ClusterProcess = 'media' | `media-${string}` | 'agent' | 'nats-server' | 'postgres';

export interface ClusterOptions {
  /** Further arguments of `holdfast up`. */
  readonly args?: readonly string[];
  /** Further settings in the environment of `holdfast up`, which hands HOLDFAST_... on. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ExitedUp {
  readonly exitCode: number | undefined;
  /** Standard output and standard error, in the order they were written. */
  readonly said: string;
}

/** The name under which the machine is a client in every test. */
export const CLIENT = 'web1.example';

/** What a first start may take on a machine that does something else, too. */
const READY_MS_MAX = 150_000;
const STOP_MS_MAX = 60_000;

/** A whole cluster of real processes, started as a user does: `holdfast up`. */
export class TestCluster {
  private running: SupervisedProcess | undefined;
  private readonly connections: NatsConnection[] = [];
  private saidBefore = 0;

  private constructor(
    /** For the test's own files; removed by `stop`. */
    readonly folder: string,
    private readonly options: ClusterOptions,
  ) {}

  /** Starts one on a data folder of its own. Call `stop` in `afterAll`. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = await TestCluster.prepare(options);
    try {
      await cluster.restart();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** A cluster that has not been started yet. */
  static async prepare(options: ClusterOptions = {}): Promise<TestCluster> {
    const folder = await temporaryFolder();
    const cluster = new TestCluster(folder, options);
    mkdirSync(cluster.path('work'), { mode: 0o755 });
    chmodSync(folder, 0o711);
    return cluster;
  }

  get dataFolder(): string {
    return join(this.folder, 'data');
  }

  /** The volume's folder with the fragments. */
  get images(): string {
    return join(this.dataFolder, 'media/main/images');
  }

  /** A path in the test's folder. */
  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** Runs `holdfast --json ARGS` in the folder `work` to its end. */
  cli(...args: readonly string[]): Promise<CliResult> {
    return startCli(['--json', ...args], this.cliPlace()).end();
  }

  /** The same without `--json`: what a person sees. */
  async text(...args: readonly string[]): Promise<CliResult> {
    return startCli(args, this.cliPlace()).end();
  }

  /** Starts `holdfast --json ARGS` and leaves it running. */
  startCli(...args: readonly string[]): RunningCli {
    return startCli(['--json', ...args], this.cliPlace());
  }

  /** Asks an endpoint as an operator does: plain NATS, raw JSON. Throws what the service refuses. */
  async ask<T = Record<string, unknown>>(endpoint: string, input: object = {}): Promise<T> {
    const nats = this.connections.find((each) => !each.isClosed()) ?? (await this.connect());
    const reply = await nats.request(`hf.svc.v1.${endpoint}`, JSON.stringify(input), {
      timeout: 10_000,
    });
    if (reply.headers?.hasError === true || reply.headers?.has('Nats-Service-Error') === true) {
      throw new Error(`${endpoint} refused: ${reply.string()}`);
    }
    return reply.json<T>();
  }

  /** A plain connection as a user of the cluster, closed when the cluster stops. */
  async connect(user = 'operator'): Promise<NatsConnection> {
    const seed = readFileSync(join(this.dataFolder, 'credentials', `${user}.nk`));
    const connection = await connect({
      servers: this.natsUrl,
      authenticator: nkeyAuthenticator(new Uint8Array(seed.subarray(0, 58))),
      inboxPrefix: user === 'operator' ? '_INBOX' : `_INBOX_${user.replaceAll('.', '_')}`,
      reconnect: false,
    });
    this.connections.push(connection);
    return connection;
  }

  get natsUrl(): string {
    return (this.clusterFile() as { natsUrl: string }).natsUrl;
  }

  /** The process's id, of one that lives. */
  pid(name: ClusterProcess | 'up'): number {
    const pid = name === 'up' ? this.running?.pid : livingProcess(this.pidFile(name))?.pid;
    if (pid === undefined) throw new Error(`There is no process ${name}. ${this.said()}`);
    return pid;
  }

  /** Every living process that has to do with the data folder. */
  processes(): { pid: number; command: string }[] {
    return processesOf(this.dataFolder);
  }

  /** SIGKILL for one process and no other; resolves when it is gone. */
  async killProcess(name: ClusterProcess): Promise<void> {
    const identity = livingProcess(this.pidFile(name));
    if (identity === undefined) throw new Error(`There is no process ${name}.`);
    process.kill(identity.pid, 'SIGKILL');
    await until(() => livingProcess(this.pidFile(name))?.pid !== identity.pid, {
      what: `${name} to be gone`,
    });
  }

  /** SIGKILL for `holdfast up`, and no last word for anyone. */
  async kill(): Promise<void> {
    await this.closeConnections();
    await this.running?.kill();
  }

  /** Starts `holdfast up` on the data folder and resolves when it is ready. */
  async restart(): Promise<void> {
    this.saidBefore = this.log().length;
    const up = await this.launch();
    await until(() => up.hasExited || this.clusterFile()?.pid === up.pid, {
      what: 'holdfast up to be ready',
      ms: READY_MS_MAX,
    });
    if (up.hasExited) throw new Error(`holdfast up ended (${await up.exited}). ${this.said()}`);
  }

  /** Runs one more `holdfast up`, which is to fail, to its end. The environment may be changed. */
  async upInVain(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ExitedUp> {
    const ended = await runCommand(process.execPath, this.upCommand(args), {
      env: { ...this.environment(), ...env },
      cwd: this.path('work'),
      timeoutMs: READY_MS_MAX,
    });
    return { exitCode: ended.code, said: ended.stdout + ended.stderr };
  }

  /** How `holdfast up` ended; waits for that. */
  async exited(ms = STOP_MS_MAX): Promise<ExitedUp> {
    const up = this.running;
    await until(() => up?.hasExited === true, { what: 'holdfast up to end', ms });
    return { exitCode: up?.child.exitCode ?? undefined, said: this.said() };
  }

  /** Ctrl-C, as the terminal sends it: SIGINT to the whole process group. */
  async interrupt(): Promise<ExitedUp> {
    await this.closeConnections();
    process.kill(-this.pid('up'), 'SIGINT');
    return this.exited();
  }

  /** Stops the cluster, if it runs, and removes the folder. */
  async stop(): Promise<void> {
    await this.closeConnections();
    await this.running?.stop();
    await removeFolder(this.folder);
  }

  /** What `holdfast up` has said since its last start. */
  said(): string {
    return this.log().slice(this.saidBefore);
  }

  private async launch(): Promise<SupervisedProcess> {
    this.running = await startSupervised({
      name: 'holdfast up',
      command: process.execPath,
      args: this.upCommand([]),
      env: this.environment(),
      cwd: this.path('work'),
      deathSignal: 'SIGTERM',
      stopSteps: [{ signal: 'SIGTERM', waitMs: STOP_MS_MAX }],
      // Where the next test run looks for what this one may leave.
      pidFile: this.path('up.pid'),
      logFile: this.path('up.log'),
    });
    return this.running;
  }

  private upCommand(args: readonly string[]): string[] {
    const bin = join(checkoutFolder(), 'bin/holdfast');
    return [bin, 'up', '--client', CLIENT, ...(this.options.args ?? []), ...args];
  }

  private environment(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.options.env, HOLDFAST_DATA: this.dataFolder };
  }

  private log(): string {
    const file = this.path('up.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  private clusterFile(): { pid: number; natsUrl: string } | undefined {
    const file = join(this.dataFolder, 'run/cluster.json');
    if (!existsSync(file)) return undefined;
    return JSON.parse(readFileSync(file, 'utf8')) as { pid: number; natsUrl: string };
  }

  private pidFile(name: ClusterProcess): string {
    return join(this.dataFolder, 'run', `${name}.pid`);
  }

  private cliPlace() {
    return { dataFolder: this.dataFolder, workingFolder: this.path('work') };
  }

  private async closeConnections(): Promise<void> {
    await Promise.all(this.connections.splice(0).map((connection) => connection.close()));
  }
}
