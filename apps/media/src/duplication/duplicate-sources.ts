import type { FragmentView } from '#contracts/image.js';
import type { MediaTask } from '#contracts/task.js';
import { messageOf, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { FragmentUnreadable } from '#storage/errors.js';
import { FragmentReaderClient } from '#transfer/fragment-reader-client.js';
import { nameOf } from '../domain/journal-state.js';
import { sourceFault } from '../domain/source-fault.js';
import type { ReadableVolume } from '../sessions/read-session.js';
import {
  expectCommitted,
  LocalSource,
  RemoteSource,
  type FragmentSource,
} from './fragment-source.js';

type SourceServers = Extract<MediaTask, { type: 'duplicate' | 'synthesize' }>['sources'];

export interface DuplicateSourcesOptions {
  readonly mediaId: string;
  readonly places: { volumeOf(fragmentId: string): ReadableVolume | undefined };
  /** The other media servers, with the tokens of this job. */
  readonly servers: SourceServers;
  readonly signal: AbortSignal;
  /** How long a connection may take; see `ConnectOptions`. */
  readonly patienceMs?: number;
}

/**
 * Opens the fragments that a duplication or a synthesis reads: here through the volume, elsewhere through one
 * connection for each media server. A connection that broke is opened again while there are tokens;
 * a server that cannot be reached is left out for the rest of the attempt.
 */
export class DuplicateSources {
  private readonly clients = new Map<string, FragmentReaderClient>();
  private readonly tokens: Map<string, string[]>;
  private readonly away = new Map<string, unknown>();
  private opening: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: DuplicateSourcesOptions) {
    this.tokens = new Map(options.servers.map(({ mediaId, tokens }) => [mediaId, [...tokens]]));
  }

  /** Those that can be read, on this media server first, else as the catalog prefers them. */
  readable(views: readonly FragmentView[]): FragmentView[] {
    const here = views.filter(({ mediaId }) => mediaId === this.options.mediaId);
    return [...here, ...views.filter((view) => !here.includes(view) && this.isServer(view))];
  }

  /**
   * Opens one for reading and compares it with what was committed. One after the other, so that those who
   * open several at once share a connection.
   */
  open(view: FragmentView): Promise<FragmentSource> {
    const opened = this.opening.then(() => this.openNext(view));
    this.opening = opened.catch(() => undefined);
    return opened;
  }

  private async openNext(view: FragmentView): Promise<FragmentSource> {
    const source = await this.find(view);
    try {
      expectCommitted(source);
      return source;
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** After a failure: a connection on which one happened that is not about one range is over. */
  drop({ mediaId }: FragmentView, error: unknown): void {
    if (sourceFault(error) !== 'lost') return;
    this.clients.get(mediaId)?.close();
    this.clients.delete(mediaId);
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
  }

  private isServer({ mediaId }: FragmentView): boolean {
    return this.options.servers.some((server) => server.mediaId === mediaId);
  }

  private async find(view: FragmentView): Promise<FragmentSource> {
    const { mediaId, fragmentId } = view;
    if (mediaId !== this.options.mediaId)
      return RemoteSource.open(view, await this.client(mediaId));
    const volume = this.options.places.volumeOf(fragmentId);
    const state = volume?.ledger.find(fragmentId);
    if (!volume || !state || state.phase === 'INTENT') {
      throw new FragmentUnreadable(fragmentId, 'is not on this media server');
    }
    return new LocalSource(view, await volume.store.open(nameOf(state)));
  }

  private async client(mediaId: string): Promise<FragmentReaderClient> {
    const open = this.clients.get(mediaId);
    if (open) return open;
    if (this.away.has(mediaId)) throw this.away.get(mediaId);
    const { signal, servers, patienceMs } = this.options;
    const token = this.tokens.get(mediaId)?.shift();
    try {
      if (!token) {
        throw new Unavailable(
          `media server ${mediaId} was lost too often`,
          STATUS.connectionBroken,
        );
      }
      const { address } = servers.find((server) => server.mediaId === mediaId)!;
      const options = { ...address, token, signal, ...(patienceMs && { patienceMs }) };
      const client = await FragmentReaderClient.connect(options);
      this.clients.set(mediaId, client);
      return client;
    } catch (error) {
      if (sourceFault(error) === undefined) throw error;
      // Also a token that it does not know (yet), or not any more: the next attempt has others.
      const status = error instanceof Unavailable ? error.status : STATUS.cannotConnect;
      const failure = new Unavailable(`media server ${mediaId}: ${messageOf(error)}`, status);
      this.away.set(mediaId, failure);
      throw failure;
    }
  }
}
