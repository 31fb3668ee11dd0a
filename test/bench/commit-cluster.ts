import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { natsUsers } from '#contracts/permissions.js';
import { imageBegin } from '#contracts/image.js';
import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import { Nats } from '#messaging/connection.js';
import { Requests } from '#messaging/requests.js';
import { Topology } from '#messaging/topology.js';
import { HEAP_FLAGS } from '../../apps/standalone/src/data-process.js';
import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import { startNats, type TestNats } from '../support/nats.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';
import type { MediaOrder, MediaPlan } from './commit-media.js';

/** nats-server and PostgreSQL with the shipped settings, a catalog, and media servers that seal. */
export class CommitCluster {
  private readonly processes: ChildProcess[] = [];
  private images = 0;

  private constructor(
    private readonly folder: string,
    readonly nats: TestNats,
    readonly postgres: TestPostgres,
    private readonly media: readonly string[],
  ) {}

  static async start(media: readonly string[]): Promise<CommitCluster> {
    const [nats, postgres, folder] = await Promise.all([
      startNats({ users: natsUsers({ media, clients: [] }) }),
      startPostgres(),
      temporaryFolder(),
    ]);
    const cluster = new CommitCluster(folder, nats, postgres, media);
    const { connection, close } = await cluster.connect('topology');
    const topology = new Topology(connection);
    await topology.ensureStreams(STREAMS);
    await topology.ensureConsumers(CONSUMERS);
    await close();
    await cluster.startCatalog();
    return cluster;
  }

  /** All media servers with the heap that they have in a cluster, each with a new volume and an image of its own to write. */
  startMedia(port = this.nats.port): Promise<MediaProcess[]> {
    return Promise.all(this.media.map((mediaId) => this.startOneMedia(mediaId, port)));
  }

  async stopMedia(media: readonly MediaProcess[]): Promise<void> {
    await Promise.all(media.map((one) => one.stop()));
  }

  async stop(): Promise<void> {
    for (const child of this.processes) child.kill('SIGKILL');
    await this.nats.stop();
    await this.postgres.stop();
    await removeFolder(this.folder);
  }

  private async startCatalog(): Promise<void> {
    const { url, user, seed } = this.nats.login('catalog');
    const seedFile = join(this.folder, 'catalog.nk');
    writeFileSync(seedFile, seed);
    const catalog = this.fork('apps/catalog/src/main.js', {
      HOLDFAST_NATS_URL: url,
      HOLDFAST_NATS_USER: user,
      HOLDFAST_NATS_SEED_FILE: seedFile,
      HOLDFAST_DATABASE_URL: this.postgres.url,
    });
    await this.said(catalog);
  }

  private async startOneMedia(mediaId: string, port: number): Promise<MediaProcess> {
    const { imageId, attempt } = await this.beginImage(mediaId);
    const login = this.nats.login(`media-${mediaId}`);
    const folder = join(this.folder, imageId);
    mkdirSync(folder);
    const child = this.fork('test/bench/commit-media.js', {}, HEAP_FLAGS.media);
    const plan: MediaPlan = {
      mediaId,
      folder,
      nats: { ...login, url: `nats://127.0.0.1:${port}`, clientName: mediaId },
      imageId,
      attempt,
    };
    child.send(plan);
    await this.said(child);
    return new MediaProcess(child, (from) => this.said(from));
  }

  private async beginImage(mediaId: string): Promise<{ imageId: string; attempt: number }> {
    const { connection, close } = await this.connect('jobs');
    const image = await new Requests(connection).call(imageBegin, {
      ...{ job: (this.images += 1), client: `client${this.images}`, policy: 'files' },
      ...{ schedule: 'full', kind: 'full', selections: ['/etc'], retention: '14d' },
      ...{ unit: 'default', pool: 'default', mediaId },
    });
    await close();
    return { imageId: image.imageId, attempt: image.copyAttempt };
  }

  private async connect(user: string) {
    const nats = await Nats.connect({ ...this.nats.login(user), clientName: `bench ${user}` });
    return { connection: nats, close: () => nats.close() };
  }

  private fork(
    file: string,
    env: Record<string, string>,
    execArgv: readonly string[] = [],
  ): ChildProcess {
    const log = openSync(this.logFile(this.processes.length), 'w');
    const child = fork(join(checkoutFolder(), 'dist', file), {
      env: { ...process.env, ...env },
      execArgv: [...execArgv],
      stdio: ['ignore', log, log, 'ipc'],
    });
    this.processes.push(child);
    return child;
  }

  /** The next thing that a process says. Throws with its log when it ends instead. */
  private async said(child: ChildProcess): Promise<unknown> {
    const over = new AbortController();
    const { signal } = over;
    const ended = once(child, 'exit', { signal }).then(([code, by]) => {
      const log = readFileSync(this.logFile(this.processes.indexOf(child)), 'utf8');
      throw new Error(`A process of the bench ended (${code ?? by}): ${log.slice(-2_000)}`);
    });
    ended.catch(() => undefined);
    try {
      return ((await Promise.race([once(child, 'message', { signal }), ended])) as unknown[])[0];
    } finally {
      over.abort();
    }
  }

  private logFile(process: number): string {
    return join(this.folder, `process-${process}.log`);
  }
}

/** A media server in a process of its own (commit-media.ts). */
export class MediaProcess {
  constructor(
    private readonly child: ChildProcess,
    private readonly said: (child: ChildProcess) => Promise<unknown>,
  ) {}

  async carryOut(order: MediaOrder): Promise<number[]> {
    this.child.send(order);
    return (await this.said(this.child)) as number[];
  }

  /** Ends it; its volume stays. */
  async stop(): Promise<void> {
    const exit = once(this.child, 'exit');
    this.child.disconnect();
    await exit;
  }
}
