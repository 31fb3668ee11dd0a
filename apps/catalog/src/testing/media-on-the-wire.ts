import { setTimeout as sleep } from 'node:timers/promises';
import type { Nats } from '#messaging/connection.js';
import { instanceSubject, type Endpoint } from '#contracts/contract.js';
import { brokerServers } from '#contracts/broker.js';
import type { Manifest } from '#archive/manifest.js';
import {
  mediaAdopt,
  mediaInventory,
  mediaManifests,
  mediaOfferAgain,
  mediaReleaseOrphans,
  mediaTakeBack,
  mediaVerifyFragment,
  type BytesState,
  type InventoryEntry,
  type OrphanDoubt,
} from '#contracts/media.js';

/** How long it takes to say that it still reads. */
const SLOW_ANSWER_MS = 200;

/** A media server as the catalog sees it: raw answers on its subjects, by what a test gives it. */
export class MediaOnTheWire {
  readonly entries = new Map<string, InventoryEntry>();
  readonly manifests: Manifest[] = [];
  /** Those that are there. */
  volumes: string[] = [];
  /** Volumes that it is in doubt of. */
  orphans: OrphanDoubt[] = [];
  /** Those that it was told not to be in doubt of any more. */
  readonly released: OrphanDoubt[] = [];
  /** What it finds when it reads a fragment whole. */
  readonly bytes = new Map<string, BytesState>();
  /** Fragments that it reads so slowly that it has never come to an end when it is asked. */
  readonly slow = new Set<string>();
  /** Fragments that it was asked to read whole, as often as it was. */
  readonly verified: string[] = [];
  /** What it was asked to do, as `endpoint fragment`. */
  readonly asked: string[] = [];
  /** It hears, and never answers, as one whose process is stopped. */
  isSilent = false;
  /** How often it was not answered. */
  unanswered = 0;

  constructor(
    private readonly nats: Nats,
    private readonly mediaId: string,
  ) {}

  async listen(): Promise<void> {
    this.answer(mediaInventory, ({ after, limit }) => this.inventory(after, limit));
    this.answer(mediaManifests, () => ({
      manifests: this.manifests.map((manifest) => ({
        ...{ pool: 'default', manifest },
      })),
      next: null,
    }));
    this.answer(mediaVerifyFragment, async ({ fragmentId }) => {
      this.verified.push(fragmentId);
      const { volumes } = this;
      if (this.slow.has(fragmentId)) {
        await sleep(SLOW_ANSWER_MS);
        return { bytes: null, reason: '', volumes };
      }
      return { bytes: this.bytes.get(fragmentId) ?? 'whole', reason: 'read', volumes };
    });
    this.answer(mediaReleaseOrphans, ({ doubts }) => {
      this.released.push(...doubts);
      return { released: doubts.length };
    });
    for (const endpoint of [mediaOfferAgain, mediaAdopt, mediaTakeBack]) {
      this.answer(endpoint, ({ fragmentIds }) => {
        for (const id of fragmentIds) this.asked.push(`${endpoint.name} ${id}`);
        return { offered: 1, adopted: 1, takenBack: 1 };
      });
    }
    const server = {
      ...{ mediaId: this.mediaId, host: 'h', version: '1', state: 'up', volumes: [] },
      ...{ address: { host: '127.0.0.1', port: 9 }, lastSeenAt: '2026-01-01T00:00:00.000Z' },
    };
    this.on(brokerServers.subject, () => ({ servers: [server] }));
    await this.nats.flush();
  }

  private inventory(after: string | undefined, limit: number) {
    const rest = [...this.entries.values()]
      .filter(({ fragmentId }) => after === undefined || fragmentId > after)
      .sort((a, b) => (a.fragmentId < b.fragmentId ? -1 : 1));
    const entries = rest.slice(0, limit);
    const isLast = entries.length === rest.length;
    const next = isLast ? null : entries.at(-1)!.fragmentId;
    const places = this.volumes.map((volumeId) => ({
      ...{ volumeId, pool: 'disk', path: `/mnt/${volumeId}` },
    }));
    return { entries, next, volumes: this.volumes, places, orphans: this.orphans };
  }

  private answer<E extends Endpoint>(
    endpoint: E,
    // oxlint-disable-next-line typescript/no-explicit-any -- whatever the endpoint takes
    answer: (request: any) => unknown,
  ): void {
    const subject = instanceSubject(endpoint, this.mediaId);
    this.on(subject, (request) => (this.isSilent ? this.leave() : answer(request)));
  }

  private leave(): undefined {
    this.unanswered += 1;
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the endpoint takes
  private on(subject: string, answer: (request: any) => unknown): void {
    this.nats.connection.subscribe(subject, {
      callback: (_, message) => {
        void Promise.resolve(answer(message.json())).then((given) => {
          if (given !== undefined) message.respond(JSON.stringify(given));
        });
      },
    });
  }
}
