import { Injectable } from '@nestjs/common';
import { brokerServers } from '#contracts/broker.js';
import type { Endpoint, InputOf, ResponseOf } from '#contracts/contract.js';
import { Requests } from '#messaging/requests.js';
import type { Startable } from '#service/lifecycle.js';

/** Fragments that one request to a media server names. */
const IDS_PER_REQUEST = 256;
/** A page has up to 500 fragments looked at on the disk. */
const ANSWER_MS_MAX = 60_000;

/**
 * The catalog's questions to media servers. Each throws `Unavailable` where the server is away, and when the catalog
 * stops: nobody waits any longer for what a media server reads, for it can be asked again.
 */
@Injectable()
export class MediaServers implements Startable {
  private readonly stopping = new AbortController();

  constructor(private readonly requests: Requests) {}

  start(): void {
    // It works when it is asked.
  }

  stop(): void {
    this.stopping.abort(new Error('the catalog stops'));
  }

  /** Those that the broker has heard of lately. */
  async up(): Promise<string[]> {
    const { servers } = await this.requests.call(brokerServers, {});
    return servers.filter(({ state }) => state === 'up').map(({ mediaId }) => mediaId);
  }

  ask<E extends Endpoint>(
    endpoint: E,
    mediaId: string,
    input: InputOf<E>,
    timeoutMs = ANSWER_MS_MAX,
  ): Promise<ResponseOf<E>> {
    const { signal } = this.stopping;
    return this.requests.call(endpoint, input, { instance: mediaId, timeoutMs, signal });
  }

  /** Asks for any number of fragments, some at a time. */
  async askAbout<E extends Endpoint>(
    endpoint: E,
    mediaId: string,
    fragmentIds: readonly string[],
  ): Promise<void> {
    for (let at = 0; at < fragmentIds.length; at += IDS_PER_REQUEST) {
      const some = fragmentIds.slice(at, at + IDS_PER_REQUEST);
      await this.ask(endpoint, mediaId, { fragmentIds: some } as InputOf<E>);
    }
  }
}
