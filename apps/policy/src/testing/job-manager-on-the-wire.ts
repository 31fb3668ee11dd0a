import { headers, type Msg } from '@nats-io/transport-node';
import { subjectOf } from '#contracts/contract.js';
import { CLOUD_EVENT_CONTENT_TYPE, envelope } from '#contracts/event.js';
import { jobDone, jobView, type BackupRequest, type JobView } from '#contracts/job.js';
import { PermanentError } from '#kernel/errors.js';
import { uuidv7 } from '#kernel/ids.js';
import type { Nats } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { toErrorBody } from '#messaging/wire-error.js';

const NO_LOG = { log: [], logLines: 0 };

/** The job manager as it looks from outside: it numbers jobs, knows request ids, tells of ends. */
export class JobManagerOnTheWire {
  readonly requests: BackupRequest[] = [];
  readonly offline = new Set<string>();
  private readonly numbers = new Map<string, number>();
  private readonly views = new Map<number, JobView>();

  constructor(private readonly nats: Nats) {
    const { connection } = nats;
    connection.subscribe('hf.svc.v1.jobs.backup', { callback: (_, msg) => this.backup(msg) });
    connection.subscribe('hf.svc.v1.jobs.get', {
      callback: (_, msg) => {
        const { job } = msg.json<{ job: number }>();
        msg.respond(
          JSON.stringify({ job: this.views.get(job) ?? this.viewOf(job, null), ...NO_LOG }),
        );
      },
    });
  }

  private backup(msg: Msg): void {
    const request = msg.json<BackupRequest>();
    if (this.offline.has(request.client)) {
      return refuse(msg, 1000, `Client "${request.client}" is offline.`);
    }
    const id = request.requestId ?? uuidv7(new Date());
    const job = this.numbers.get(id) ?? this.requests.push(request);
    this.numbers.set(id, job);
    msg.respond(JSON.stringify({ job }));
  }

  /** Ends a job; `heard: false` loses the event. */
  async end(job: number, status: number, options: { heard: boolean } = { heard: true }) {
    const view = this.viewOf(job, status);
    this.views.set(job, view);
    if (options.heard) await this.publish(view);
  }

  /** Ends one stream of a job, which is a job of its own. */
  async endStream(parent: number, status: number): Promise<void> {
    await this.publish({ ...this.viewOf(parent, status), job: parent + 100_000, parent });
  }

  /** `status` is null while it runs. */
  private viewOf(job: number, status: number | null): JobView {
    const request = this.requests[job - 1]!;
    const now = new Date().toISOString();
    return jobView.parse({
      ...{ job, type: 'backup', status, statusText: '', message: '', kind: request.kind },
      state: status === null ? 'active' : 'done',
      ...{ policy: request.policy, schedule: request.schedule, client: request.client },
      ...{ imageId: null, storage: null, mediaId: null, attempt: 1, retryAt: null },
      ...{ operation: '', createdAt: now, startedAt: now, endedAt: status === null ? null : now },
      progress: {
        ...{ files: 0, bytes: 0, storedBytes: 0, currentPath: '' },
        ...{ waitedForEmpty: 0, waitedForFull: 0, fragments: 0, fragmentsTotal: 0 },
      },
    });
  }

  async publish(data: unknown): Promise<void> {
    const id = uuidv7(new Date());
    const event = { id, source: 'jobs', subject: 'job', time: new Date(), data };
    await new Publisher(this.nats).publish({
      subject: subjectOf(jobDone, '1'),
      payload: envelope(jobDone, event),
      id,
      contentType: CLOUD_EVENT_CONTENT_TYPE,
    });
  }
}

/** Answers as a service that refuses. */
export function refuse(msg: Msg, status: number, message: string): void {
  const head = headers();
  head.set('Nats-Service-Error-Code', String(status));
  msg.respond(JSON.stringify(toErrorBody(new PermanentError(status, message))), { headers: head });
}
