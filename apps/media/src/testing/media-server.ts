import { SystemClock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { randomToken } from '#kernel/ids.js';
import { DataServer } from '#transfer/data-server.js';
import { FragmentReaderClient } from '#transfer/fragment-reader-client.js';
import { FragmentWriterClient } from '#transfer/fragment-writer-client.js';
import { CommitOffers } from '../commits/commit-offers.js';
import { noCrash, type CrashPoint } from '../crash-point.js';
import { DuplicateRun, type DuplicateTask } from '../duplication/duplicate-run.js';
import { Care } from '../inventory/care.js';
import { Holdings } from '../inventory/holdings.js';
import { atWorkFor, Waits } from '../library/job-at-work.js';
import { MediaLibrary } from '../library/media-library.js';
import { Removals, type Removal } from '../removal/removals.js';
import { emptyOldTrash } from '../removal/trash-reaper.js';
import { ReadSession, type ReadOutcome } from '../sessions/read-session.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import type { VolumeKind } from '../volumes/store-kind.js';
import { Volumes, type VolumesOptions } from '../volumes/volumes.js';
import { WriteSession, type WriteOutcome, type WriteTask } from '../sessions/write-session.js';
import type { SessionProgress } from '../sessions/progress.js';
import { MemoryCatalog } from './memory-catalog.js';
import type { MemorySources } from './memory-sources.js';

export interface MediaServerOptions {
  readonly folder: string;
  readonly mediaId?: string;
  /** Further volumes, each in its own folder. */
  readonly more?: VolumesOptions['volumes'];
  /** Of the volume in the folder; default `directory`. */
  readonly kind?: VolumeKind;
  readonly catalog?: MemoryCatalog;
  readonly reserveBytes?: number;
  readonly crashPoint?: CrashPoint;
  /** The folder is that of a library, and the pool's fragments lie on its volumes. */
  readonly isLibrary?: boolean;
  readonly mountTimeoutMs?: number;
  readonly spoolBytesMax?: number;
}

/** The job of every session here. */
const JOB = 7;

export const SAMPLE_DETAILS = {
  job: 7,
  schedule: 'user',
  retention: '14d',
  selections: ['/srv'],
  baseImageId: null,
};

const TASK: WriteTask = {
  imageId: 'web1_1790000000',
  copy: 1,
  attempt: 1,
  client: 'web1',
  policy: 'daily',
  kind: 'full',
  backupTime: 1_790_000_000,
  fragmentBytesMax: 64 * 1024 * 1024,
  details: SAMPLE_DETAILS,
  resume: { nextNumber: 1, archiveOffset: 0 },
};

/** The media server without NATS around it: real volumes, real sockets, a catalog in memory. */
export class TestMediaServer {
  private constructor(
    readonly volumes: Volumes,
    readonly offers: CommitOffers,
    readonly catalog: MemoryCatalog,
    private readonly registry: SessionRegistry,
    private readonly server: DataServer,
    readonly address: { host: string; port: number },
    private readonly crashPoint: CrashPoint,
  ) {
    this.removals = new Removals({
      ...{ volumes, offers, catalog, crashPoint },
      log: (severity, text) => void this.removalLog.push(`${severity}: ${text}`),
    });
  }

  /** What lies here, looked over as it is now. */
  async holdings(): Promise<Holdings> {
    const holdings = new Holdings(this.volumes);
    await holdings.scan();
    return holdings;
  }

  async care(): Promise<Care> {
    const { offers, removals } = this;
    return new Care({
      holdings: await this.holdings(),
      offers,
      removals,
      clock: new SystemClock(),
    });
  }

  /** Of all volumes, one after the other. */
  async settleRemovals(): Promise<void> {
    for (const volume of this.volumes) await this.removals.settle(volume);
  }

  emptyOldTrash(time: { readonly graceMs: number; readonly now: Date }): Promise<number> {
    const standsBy = (removal: Removal) => this.removals.standsBy(removal);
    const failed = (what: string, error: unknown) =>
      void this.removalLog.push(`${what}: ${messageOf(error)}`);
    return emptyOldTrash(this.volumes, time, standsBy, failed);
  }

  readonly removals: Removals;
  readonly removalLog: string[] = [];
  readonly jobLog: string[] = [];
  libraryLog: readonly string[] = [];
  readonly waits: string[] = [];
  /** Ends the job at work. */
  readonly over = new AbortController();
  readonly bugs: unknown[] = [];
  readonly progress: SessionProgress[] = [];
  session: WriteSession | undefined;

  static async start(options: MediaServerOptions): Promise<TestMediaServer> {
    const clock = new SystemClock();
    const catalog = options.catalog ?? new MemoryCatalog();
    const crashPoint = options.crashPoint ?? noCrash;
    const { mediaId = 'media1', mountTimeoutMs = 60_000, isLibrary = false } = options;
    const { spoolBytesMax = Number.MAX_SAFE_INTEGER } = options;
    const { folder: path, kind = 'directory' } = options;
    const main = [{ path, pool: 'disk', kind }];
    const libraryLog: string[] = [];
    const volumes = await Volumes.open({
      mediaId,
      volumes: [...(isLibrary ? [] : main), ...(options.more ?? [])],
      volumeReserveBytes: options.reserveBytes ?? 0,
      clock,
      libraries: isLibrary ? main : [],
      openLibrary: (where) => {
        const given = { ...where, mediaId, clock, mountTimeoutMs, spoolBytesMax, reserveBytes: 0 };
        return MediaLibrary.open({
          ...given,
          log: (_, text) => void libraryLog.push(text),
          onStep: crashPoint,
        });
      },
    });
    const offers = new CommitOffers({
      ...{ publisher: catalog, inquiry: catalog, places: volumes, clock, crashPoint },
      chance: () => 0.5,
      settings: { resendFirstMs: 40, resendMaxMs: 100, retryFirstMs: 20, tickMs: 5 },
    });
    catalog.onReceipt = (receipt) => offers.onReceipts([receipt]);
    offers.start(volumes);
    const registry = new SessionRegistry(clock);
    const onBug = (error: unknown) => void media.bugs.push(error);
    const admit = (hello: Parameters<typeof registry.admit>[0]) => registry.admit(hello);
    const keyOf = (session: string) => registry.keyOf(session);
    const server = new DataServer({ host: '127.0.0.1', port: 0, keyOf, admit, onBug });
    const address = await server.listen();
    const media = new TestMediaServer(
      ...[volumes, offers, catalog, registry, server, address, crashPoint],
    );
    media.libraryLog = libraryLog;
    return media;
  }

  /** Begins a write session, as a task and an agent would. */
  async write(
    task: Partial<WriteTask> = {},
  ): Promise<{ writer: FragmentWriterClient; outcome: Promise<WriteOutcome> }> {
    const token = randomToken();
    const session = new WriteSession({
      task: { ...TASK, ...task },
      volume: await this.volumes.roomiest('disk'),
      offers: this.offers,
      clock: new SystemClock(),
      onProgress: (progress) => void this.progress.push(progress),
      crashPoint: this.crashPoint,
    });
    this.session = session;
    const outcome = new Promise<WriteOutcome>((resolve) => {
      const serve = async (connection: Parameters<WriteSession['run']>[0]) =>
        resolve(await this.atWork(() => session.run(connection)));
      this.registry.expect({ token, role: 'write', serve });
    });
    return { writer: await FragmentWriterClient.connect({ ...this.address, token }), outcome };
  }

  /** A duplication of the sample into copy 2, from what lies here or on others. */
  duplicate(
    catalog: MemorySources,
    { pool = 'disk', sources = [] }: Partial<Pick<DuplicateTask, 'pool' | 'sources'>> = {},
  ): DuplicateRun {
    const { fragmentBytesMax: _, resume: __, attempt: copyAttempt, ...image } = TASK;
    return new DuplicateRun({
      task: {
        ...{ type: 'duplicate', job: 9, attempt: 1, pool, sources },
        image: { ...image, copy: 2, copyAttempt, kind: 'full' },
      },
      ...{
        mediaId: [...this.volumes][0]!.mediaId,
        volumes: this.volumes,
        offers: this.offers,
        catalog,
      },
      ...{ clock: new SystemClock(), crashPoint: this.crashPoint },
      log: () => undefined,
      onProgress: () => undefined,
    });
  }

  /** Begins a read session for these images. */
  async read(
    imageIds: readonly string[] = [TASK.imageId],
  ): Promise<{ reader: FragmentReaderClient; outcome: Promise<ReadOutcome> }> {
    const token = randomToken();
    const session = new ReadSession({ imageIds, places: this.volumes });
    const outcome = new Promise<ReadOutcome>((resolve) => {
      const serve = async (connection: Parameters<ReadSession['run']>[0]) =>
        resolve(await this.atWork(() => session.run(connection)));
      this.registry.expect({ token, role: 'read', serve });
    });
    return { reader: await FragmentReaderClient.connect({ ...this.address, token }), outcome };
  }

  /** Expects so many connections that read these images. */
  expectReaders(count: number, imageIds: readonly string[] = [TASK.imageId]): string[] {
    return Array.from({ length: count }, () => {
      const token = randomToken();
      const serve = async (connection: Parameters<ReadSession['run']>[0]) =>
        void (await new ReadSession({ imageIds, places: this.volumes }).run(connection));
      this.registry.expect({ token, role: 'read', serve });
      return token;
    });
  }

  /** As the tasks do it. */
  atWork<T>(work: () => Promise<T>): Promise<T> {
    const log = (_: string, text: string) => void this.jobLog.push(text);
    const waits = new Waits((what) => this.waits.push(what));
    const waitFor = (what: string) => waits.begin(what);
    return atWorkFor({ job: JOB, signal: this.over.signal, log, waitFor }, work);
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.server.close();
    await this.offers.stop();
    // What is on its way comes again, to whoever starts next.
    this.catalog.onReceipt = async () => undefined;
    await this.volumes.close();
  }
}
