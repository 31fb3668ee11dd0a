import type { AgentTask } from '#contracts/task.js';
import type { FragmentView } from '#contracts/image.js';
import { PermanentError } from '#kernel/errors.js';
import { FragmentReaderClient } from '#transfer/fragment-reader-client.js';
import type { FragmentRead, FragmentReader } from './restore/restore-source.js';

type Sources = Extract<AgentTask, { type: 'restore' }>['sources'];

interface Route {
  /** One connection for each image's data, and one for its index: they don't wait for each other. */
  readonly lane: string;
  readonly mediaId: string;
}

/** Reads each fragment from the media server that has it, over as few connections as are needed. */
export class FragmentRoutes implements FragmentReader {
  private readonly routes = new Map<string, Route>();
  private readonly lanes = new Map<string, Promise<FragmentReaderClient>>();
  private readonly tokens: Map<string, string[]>;

  constructor(
    private readonly sources: Sources,
    private readonly signal: AbortSignal,
  ) {
    this.tokens = new Map(sources.map(({ mediaId, tokens }) => [mediaId, [...tokens]]));
  }

  add(fragments: readonly FragmentView[]): void {
    for (const { fragmentId, imageId, mediaId } of fragments) {
      this.routes.set(fragmentId, { lane: imageId, mediaId });
    }
  }

  async *read(range: FragmentRead): AsyncIterable<Buffer> {
    const route = this.routes.get(range.fragmentId);
    if (!route) throw new PermanentError(85, `Fragment ${range.fragmentId} is on no media server.`);
    const client = await this.connection(route, range.object);
    yield* client.read(range);
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.lanes.values());
    for (const lane of opened) if (lane.status === 'fulfilled') lane.value.close();
  }

  private connection(route: Route, object: string): Promise<FragmentReaderClient> {
    const key = `${route.mediaId}/${route.lane}/${object}`;
    const opened = this.lanes.get(key) ?? this.open(route.mediaId);
    this.lanes.set(key, opened);
    return opened;
  }

  private open(mediaId: string): Promise<FragmentReaderClient> {
    const source = this.sources.find((one) => one.mediaId === mediaId);
    const token = this.tokens.get(mediaId)?.pop();
    if (!source || !token) {
      throw new PermanentError(46, `The job gave no way to read from media server ${mediaId}.`);
    }
    return FragmentReaderClient.connect({ ...source.address, token, signal: this.signal });
  }
}
