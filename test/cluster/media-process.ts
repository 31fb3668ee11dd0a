import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import { withDeathSignal } from '../../apps/standalone/src/servers/system/death-signal.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import type { TestCluster } from './cluster.js';
import { until } from '../support/until.js';

/**
 * A media server on a host of its own, as far as one machine can show it: a process that a test
 * starts, whose link to the master side (NATS, and all services behind it) goes through a proxy that
 * the test can cut. Its data port is not touched by that: media servers and agents still reach it.
 */
export class MediaProcess {
  private child: ChildProcess | undefined;

  private constructor(
    readonly mediaId: string,
    private readonly pool: string,
    private readonly cluster: TestCluster,
    readonly link: TcpProxy,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** The cluster must have admitted it (`--media-server NAME`). Resolves when it is in touch. */
  static async start(
    cluster: TestCluster,
    { mediaId, pool, env = {} }: { mediaId: string; pool: string; env?: Record<string, string> },
  ): Promise<MediaProcess> {
    const link = await TcpProxy.start({ port: Number(new URL(cluster.natsUrl).port) });
    const server = new MediaProcess(mediaId, pool, cluster, link, env);
    server.launch();
    await until(() => server.isKnown(), { what: `media server ${mediaId} to be known` });
    return server;
  }

  get volume(): string {
    return this.cluster.path(`volume-${this.mediaId}`);
  }

  get isAlive(): boolean {
    return this.child?.exitCode === null && this.child.signalCode === null;
  }

  /** What it has said. */
  log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** Files of a copy, by name. */
  files(imageId: string, copy: number): { name: string; bytes: number }[] {
    const folder = join(this.volume, 'images', imageId, `c${copy}`);
    try {
      return readdirSync(folder)
        .sort()
        .map((name) => ({ name, bytes: statSync(join(folder, name)).size }));
    } catch {
      return []; // not there yet, or renamed between the two looks
    }
  }

  /** Starts it (again); `env` goes over its settings for this time. */
  launch(env: Readonly<Record<string, string>> = {}): void {
    const log = openSync(this.logFile, 'a');
    const credentials = join(this.cluster.dataFolder, 'credentials');
    const main = join(checkoutFolder(), 'dist/apps/media/src/main.js');
    this.child = spawn(...withDeathSignal('SIGKILL', process.execPath, [main]), {
      env: {
        PATH: process.env['PATH'],
        ...this.env,
        ...env,
        HOLDFAST_NATS_URL: `nats://127.0.0.1:${this.link.port}`,
        HOLDFAST_NATS_USER: `media-${this.mediaId}`,
        HOLDFAST_NATS_SEED_FILE: join(credentials, `media-${this.mediaId}.nk`),
        HOLDFAST_MEDIA_ID: this.mediaId,
        HOLDFAST_MEDIA_VOLUMES: `${this.pool}=${this.volume}`,
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** SIGKILL, and resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGCONT');
    this.signal('SIGKILL');
    await until(() => !this.isAlive, { what: `${this.mediaId} to be gone` });
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.link.stop();
  }

  private async isKnown(): Promise<boolean> {
    const { servers } = await this.cluster.ask<{ servers: { mediaId: string; state: string }[] }>(
      'broker.servers',
    );
    return servers.some(({ mediaId, state }) => mediaId === this.mediaId && state === 'up');
  }

  private get logFile(): string {
    return this.cluster.path(`${this.mediaId}.log`);
  }
}
