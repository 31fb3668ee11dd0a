import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import type { Allocation } from '#contracts/broker.js';
import type { CopyView } from '#contracts/catalog/copy.js';
import type { ImageView } from '#contracts/image.js';
import type { AgentTask, MediaTask } from '#contracts/task.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { toErrorBody } from '#messaging/wire-error.js';

type Answer = (request: Record<string, unknown>) => unknown;

/** Broker, catalog and media servers as the job manager sees them: raw answers on their subjects. */
export class ResourcesOnTheWire {
  /** What was asked, by endpoint (`broker.allocate`), in order. */
  readonly asked: { readonly endpoint: string; readonly request: Record<string, unknown> }[] = [];
  readonly tasks: (MediaTask | AgentTask)[] = [];
  /** While true, the broker answers nobody. */
  brokerAway = false;
  /** While true, jobs have to wait. */
  busy = false;
  leaseMs = 3_600_000;
  /** By endpoint: what is asked of it is answered when that has come to pass. */
  private readonly heldUp = new Map<string, Promise<void>>();
  complete = true;
  /** Where the catalog says that an attempt goes on. */
  nextNumber = 1;
  /** Sealed fragments that the media server still has; it brings one in with each answer. */
  open = 0;
  /** While true, no media server answers. */
  mediaAway = false;
  /** While true, the catalog answers nobody. */
  catalogAway = false;
  /** Fragments that the catalog says it has of an image. */
  committed = 0;
  /** What the catalog says that a backup is of. */
  selections = ['/etc'];
  /** What every image builds on, as the catalog says. */
  builtOn: readonly string[] = [];
  /** The job whose image the catalog does not let go of. */
  notAbandoned = 0;
  private images = 0;

  constructor(nats: NatsConnection) {
    this.serve(nats, 'broker.client', ({ client }) => this.client(String(client)));
    this.serve(nats, 'broker.allocate', (request) => this.allocate(request));
    this.serve(nats, 'broker.release', () => ({ released: true }));
    this.serve(nats, 'broker.priority', (request) => ({ ...request, waiting: this.busy }));
    this.serve(nats, 'catalog.image-begin', (request) => this.begin(request));
    this.serve(nats, 'catalog.image-finish', () => ({
      complete: this.complete,
      waitsFor: this.complete ? '' : 'the index of fragment 1',
    }));
    this.serve(nats, 'catalog.image-abandon', ({ job }) => {
      if (job === this.notAbandoned) throw new Unavailable('not now');
      return {};
    });
    this.serve(nats, 'catalog.image', ({ imageId }) => ({
      image: { ...imageView(String(imageId)), fragments: this.committed },
    }));
    this.serve(nats, 'catalog.copies', ({ imageId }) => ({ copies: [copyView(String(imageId))] }));
    this.serve(nats, 'catalog.restore-chain', ({ imageId }) => ({
      client: 'web1',
      images: [imageId, ...this.builtOn].map((of) => ({
        ...{ imageId: of, kind: 'full', media: ['m1'] },
      })),
    }));
    this.serve(nats, 'catalog.copy-begin', (request) => this.beginCopy(request));
    this.serve(nats, 'catalog.copy-finish', () => ({
      complete: this.complete,
      waitsFor: this.complete ? '' : 'fragment 3 of copy 2',
    }));
    this.serve(nats, 'catalog.pin', () => ({ fragments: 7 }));
    this.serve(nats, 'catalog.unpin', () => ({ fragments: 7 }));
    this.serve(nats, 'media.drain.*', () => ({ open: Math.max(0, (this.open -= 1)) }));
    nats.subscribe('hf.int.v1.task.>', {
      callback: (_, msg) => void this.tasks.push(msg.json<MediaTask | AgentTask>()),
    });
  }

  tasksOf(job: number): (MediaTask | AgentTask)[] {
    return this.tasks.filter((task) => task.job === job);
  }

  count(endpoint: string): number {
    return this.asked.filter((one) => one.endpoint === endpoint).length;
  }

  /** Has an endpoint answer only when what is returned is called; what it is asked from then on is answered at once. */
  holdUp(endpoint: string): () => void {
    let letGo = () => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    this.heldUp.set(endpoint, held);
    return () => {
      this.heldUp.delete(endpoint);
      letGo();
    };
  }

  private serve(nats: NatsConnection, endpoint: string, answer: Answer): void {
    const callback = (_: Error | null, msg: Msg): void => {
      if (this.brokerAway && endpoint.startsWith('broker.')) return;
      const request = msg.json<Record<string, unknown>>();
      if (!this.catalogAway || !endpoint.startsWith('catalog.'))
        this.asked.push({ endpoint, request });
      const held = this.heldUp.get(endpoint);
      if (!held) return respond(msg, request);
      void held.then(() => respond(msg, request));
    };
    const respond = (msg: Msg, request: Record<string, unknown>): void => {
      try {
        // Said at once, so that no test has to wait for a time-out.
        if (this.mediaAway && endpoint.startsWith('media.')) throw new Unavailable('media is away');
        const isCatalog = endpoint.startsWith('catalog.');
        if (this.catalogAway && isCatalog) throw new Unavailable('the catalog is away');
        msg.respond(JSON.stringify(answer(request)));
      } catch (error) {
        const head = headers();
        head.set('Nats-Service-Error-Code', '1');
        msg.respond(JSON.stringify(toErrorBody(error)), { headers: head });
      }
    };
    nats.subscribe(`hf.svc.v1.${endpoint}`, { callback });
  }

  private client(client: string) {
    if (client === 'nobody') throw new PermanentError(243, 'There is no client "nobody".');
    const state = client === 'asleep' ? 'down' : 'up';
    return { client, state, lastSeenAt: new Date().toISOString() };
  }

  private allocate(request: Record<string, unknown>) {
    if (request['unit'] === 'nowhere') throw new PermanentError(213, 'There is no unit "nowhere".');
    if (this.busy) {
      const reason = 'unit default runs its maximum of 1 job';
      return { state: 'queued', reason, wait: 'unit-busy' };
    }
    const now = new Date();
    const isCopy = request['purpose'] === 'duplicate';
    const media = isCopy ? ['m2', ...(request['sources'] as string[])] : ['m1'];
    const allocation: Allocation = {
      allocationId: '0190a0a0-0000-7000-8000-000000000000',
      job: Number(request['job']),
      attempt: Number(request['attempt']),
      purpose: 'write',
      client: String(request['client']),
      unit: 'default',
      pool: isCopy ? String(request['pool']) : 'main',
      fragmentBytesMax: 1024 ** 3,
      media: media.map((mediaId) => ({ mediaId, address: { host: '127.0.0.1', port: 9 } })),
      grantedAt: now.toISOString(),
      leaseUntil: new Date(now.getTime() + this.leaseMs).toISOString(),
    };
    return { state: 'granted', allocation };
  }

  private beginCopy(request: Record<string, unknown>) {
    const attempt = Number(request['attempt']);
    return {
      ...{ imageId: request['imageId'], copy: 2, copyAttempt: attempt },
      ...{ client: 'web1', policy: 'p', kind: 'full', backupTime: 1_790_000_001 },
      details: DETAILS,
      ...{ fragments: 7, missing: 8 - this.nextNumber, sources: ['m1'] },
    };
  }

  private begin(request: Record<string, unknown>) {
    const attempt = Number(request['attempt']);
    if (attempt === 1 || request['fresh']) this.images += 1;
    return {
      imageId: `web1_${1_790_000_000 + this.images}`,
      backupTime: 1_790_000_000 + this.images,
      copy: 1,
      copyAttempt: attempt,
      kind: request['kind'],
      baseImageId: null,
      keepListings: [],
      nextNumber: request['fresh'] ? 1 : this.nextNumber,
      archiveOffset: request['fresh'] ? 0 : (this.nextNumber - 1) * 1_000,
      details: { ...DETAILS, selections: this.selections },
    };
  }
}

const DETAILS = {
  ...{ job: 1, schedule: 'user', retention: '14d', selections: ['/etc'], baseImageId: null },
};

function imageView(imageId: string): ImageView {
  if (imageId === 'web1_404') throw new PermanentError(227, 'There is no image "web1_404".');
  return {
    ...{ imageId, client: 'web1', policy: 'p', schedule: 'user', kind: 'full', state: 'COMPLETE' },
    ...{ job: 1, backupTime: AT, expiresAt: AT, baseImageId: null, selections: ['/etc'] },
    ...{ files: 1, bytes: 1, storedBytes: 1, fragments: 7, copies: 1, holds: [] },
    keyword: null,
  };
}

function copyView(imageId: string): CopyView {
  return {
    ...{ imageId, copy: 1, state: 'COMPLETE', unit: 'default', pool: 'main', mediaId: 'm1' },
    ...{ job: 1, attempt: 1, fragments: 7, fragmentsExpected: 7, damaged: 0, pinned: 0 },
    ...{ storedBytes: 1, expiresAt: AT },
  };
}

const AT = '2026-01-01T00:00:00.000Z';
