import type { AgentTask } from '#contracts/task.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { FragmentReaderClient } from '#transfer/fragment-reader-client.js';
import { ChunkedArchives } from './restore/chunks/chunked-archives.js';
import type {
  ArchiveRead,
  FragmentRead,
  FragmentReader,
  RestoreImage,
} from './restore/restore-source.js';

type Sources = Extract<AgentTask, { type: 'restore' }>['sources'];

interface Route {
  /** One connection for each image's data, and one for its index: they don't wait for each other. */
  readonly lane: string;
  readonly mediaId: string;
}

/** How long to try again to reach a media server from which a connection was lost. */
const PATIENCE_AFTER_LOSS_MS = 1_000;

/** Unpacked frames of chunks that are kept for all images of a chain, and for each at least. */
const KEPT_BYTES = 8 * 1024 * 1024;
const KEPT_BYTES_MIN = 2 * 1024 * 1024;

/** Reads each fragment from the media server that has it, over as few connections as are needed. */
export class FragmentRoutes implements FragmentReader {
  private readonly routes = new Map<string, Route>();
  private readonly lanes = new Map<string, Promise<FragmentReaderClient>>();
  private readonly images = new Set<string>();
  private readonly archives = new Map<FragmentReaderClient, ChunkedArchives>();
  private readonly tokens: Map<string, string[]>;
  /** Media servers from which a connection was lost, or could not be opened. */
  private readonly lost = new Set<string>();

  constructor(
    private readonly sources: Sources,
    private readonly signal: AbortSignal,
  ) {
    this.tokens = new Map(sources.map(({ mediaId, tokens }) => [mediaId, [...tokens]]));
  }

  /** True if the job gave a way to read from this media server. */
  leadTo(mediaId: string): boolean {
    return this.tokens.has(mediaId);
  }

  add({ imageId, fragments }: RestoreImage): void {
    this.images.add(imageId);
    for (const { fragmentId, mediaId } of fragments.flatMap(({ sources }) => sources)) {
      this.routes.set(fragmentId, { lane: imageId, mediaId });
    }
  }

  async *read(range: FragmentRead, into?: Buffer): AsyncIterable<Buffer> {
    const route = this.route(range.fragmentId);
    try {
      const client = await this.connection(route, range.object);
      yield* client.read(range, into);
    } catch (error) {
      throw this.noting(route, error);
    }
  }

  async readArchive(range: ArchiveRead): Promise<Buffer<ArrayBuffer> | undefined> {
    const route = this.route(range.fragmentId);
    try {
      const client = await this.connection(route, 'data');
      const archives = this.archives.get(client) ?? new ChunkedArchives(client, this.keptBytesMax);
      this.archives.set(client, archives);
      return await archives.read(range);
    } catch (error) {
      throw this.noting(route, error);
    }
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.lanes.values());
    for (const lane of opened) if (lane.status === 'fulfilled') lane.value.close();
  }

  private get keptBytesMax(): number {
    return Math.max(KEPT_BYTES_MIN, Math.floor(KEPT_BYTES / Math.max(1, this.images.size)));
  }

  private route(fragmentId: string): Route {
    const route = this.routes.get(fragmentId);
    if (!route) {
      throw new PermanentError(
        STATUS.mediaReadError,
        `Fragment ${fragmentId} is on no media server.`,
      );
    }
    return route;
  }

  private noting({ mediaId }: Route, error: unknown): unknown {
    if (error instanceof Unavailable) this.lost.add(mediaId);
    return error;
  }

  private connection(route: Route, object: string): Promise<FragmentReaderClient> {
    const key = `${route.mediaId}/${route.lane}/${object}`;
    const opened = this.lanes.get(key) ?? this.open(route.mediaId);
    this.lanes.set(key, opened);
    return opened;
  }

  private async open(mediaId: string): Promise<FragmentReaderClient> {
    const source = this.sources.find((one) => one.mediaId === mediaId);
    const token = this.tokens.get(mediaId)?.pop();
    if (!source || !token) {
      throw new Unavailable(
        `the job gave no way to read from media server ${mediaId}`,
        STATUS.accessNotAllowed,
      );
    }
    const patience = this.lost.has(mediaId) ? { patienceMs: PATIENCE_AFTER_LOSS_MS } : {};
    const { signal } = this;
    try {
      return await FragmentReaderClient.connect({ ...source.address, token, signal, ...patience });
    } catch (error) {
      // That it lets nobody in says nothing about a fragment.
      if (!(error instanceof PermanentError) || signal.aborted) throw error;
      throw new Unavailable(error.message, error.status, { cause: error });
    }
  }
}
