import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import type { Allocation } from '#contracts/broker.js';
import type { AgentTask, MediaTask } from '#contracts/task.js';
import { PermanentError } from '#kernel/errors.js';
import { toErrorBody } from '#messaging/wire-error.js';

type Answer = (request: Record<string, unknown>) => unknown;

/** Broker and catalog as the job manager sees them: raw answers on their subjects. */
export class ResourcesOnTheWire {
  /** What was asked, by endpoint (`broker.allocate`), in order. */
  readonly asked: { readonly endpoint: string; readonly request: Record<string, unknown> }[] = [];
  readonly tasks: (MediaTask | AgentTask)[] = [];
  /** While true, the broker answers nobody. */
  brokerAway = false;
  /** While true, jobs have to wait. */
  busy = false;
  complete = true;
  private images = 0;

  constructor(nats: NatsConnection) {
    this.serve(nats, 'broker.client', ({ client }) => this.client(String(client)));
    this.serve(nats, 'broker.allocate', (request) => this.allocate(request));
    this.serve(nats, 'broker.release', () => ({ released: true }));
    this.serve(nats, 'catalog.image-begin', (request) => this.begin(request));
    this.serve(nats, 'catalog.image-finish', () => ({
      complete: this.complete,
      waitsFor: this.complete ? '' : 'the index of fragment 1',
    }));
    this.serve(nats, 'catalog.image-abandon', () => ({}));
    nats.subscribe('hf.int.v1.task.>', {
      callback: (_, msg) => void this.tasks.push(msg.json<MediaTask | AgentTask>()),
    });
  }

  count(endpoint: string): number {
    return this.asked.filter((one) => one.endpoint === endpoint).length;
  }

  private serve(nats: NatsConnection, endpoint: string, answer: Answer): void {
    const callback = (_: Error | null, msg: Msg): void => {
      if (this.brokerAway && endpoint.startsWith('broker.')) return;
      const request = msg.json<Record<string, unknown>>();
      this.asked.push({ endpoint, request });
      try {
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
    if (this.busy) return { state: 'queued', reason: 'unit default runs its maximum of 1 job' };
    const now = new Date();
    const allocation: Allocation = {
      allocationId: '0190a0a0-0000-7000-8000-000000000000',
      job: Number(request['job']),
      attempt: Number(request['attempt']),
      purpose: 'write',
      client: String(request['client']),
      unit: 'default',
      pool: 'main',
      fragmentBytesMax: 1024 ** 3,
      media: [{ mediaId: 'm1', address: { host: '127.0.0.1', port: 9 } }],
      grantedAt: now.toISOString(),
      leaseUntil: new Date(now.getTime() + 3_600_000).toISOString(),
    };
    return { state: 'granted', allocation };
  }

  private begin(request: Record<string, unknown>) {
    this.images += 1;
    return {
      imageId: `web1_${1_790_000_000 + this.images}`,
      backupTime: 1_790_000_000 + this.images,
      copy: 1,
      copyAttempt: 1,
      kind: request['kind'],
      baseImageId: null,
      keepListings: [],
      ...{ nextNumber: 1, archiveOffset: 0 },
      details: {
        job: Number(request['job']),
        schedule: String(request['schedule']),
        retention: String(request['retention']),
        selections: request['selections'],
        baseImageId: null,
      },
    };
  }
}
