import { headers, type Msg } from '@nats-io/transport-node';
import { subjectOf, type Message, type RequestOf } from '#contracts/contract.js';
import { CLOUD_EVENT_CONTENT_TYPE, envelope } from '#contracts/event.js';
import {
  jobDone,
  jobIncomplete,
  jobQueued,
  jobView,
  type BackupRequest,
  type JobView,
} from '#contracts/job.js';
import type { jobsContinue } from '#contracts/jobs/commands.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { uuidv7 } from '#kernel/ids.js';
import type { Nats } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { toErrorBody } from '#messaging/wire-error.js';

const NO_LOG = { log: [], logLines: 0 };

/** The job manager as it looks from outside: it numbers jobs, knows request ids, tells of ends. */
export class JobManagerOnTheWire {
  readonly requests: BackupRequest[] = [];
  readonly offline = new Set<string>();
  /** Clients at whose requests it fails, as at a fault of its own. */
  readonly broken = new Set<string>();
  /** What it was asked to go on with, and did. */
  readonly goneOn: { job: number; closesAt: string | null }[] = [];
  /** Goes on, but nobody hears so. */
  losesAnswers = false;
  private readonly numbers = new Map<string, number>();
  private readonly views = new Map<number, JobView>();

  constructor(private readonly nats: Nats) {
    const answer = (name: string, reply: (msg: Msg) => void) =>
      nats.connection.subscribe(`hf.svc.v1.jobs.${name}`, { callback: (_, msg) => reply(msg) });
    answer('backup', (msg) => this.backup(msg));
    answer('continue', (msg) => this.continue(msg));
    answer('get', (msg) => {
      const { job } = msg.json<{ job: number }>();
      msg.respond(JSON.stringify({ job: this.view(job), ...NO_LOG }));
    });
  }

  private backup(msg: Msg): void {
    const request = msg.json<BackupRequest>();
    if (this.offline.has(request.client)) {
      return refuse(msg, 1000, `Client "${request.client}" is offline.`);
    }
    if (this.broken.has(request.client)) {
      return refuseWith(msg, new Unavailable('The service failed on this request.', 130));
    }
    const id = request.requestId ?? uuidv7(new Date());
    const job = this.numbers.get(id) ?? this.requests.push(request);
    this.numbers.set(id, job);
    msg.respond(JSON.stringify({ job }));
  }

  private continue(msg: Msg): void {
    const { job, failedAt, closesAt } = msg.json<RequestOf<typeof jobsContinue>>();
    const { outOfTries } = this.view(job);
    if (outOfTries !== null && outOfTries.failedAt <= failedAt) {
      this.goneOn.push({ job, closesAt });
      this.change(job, { state: 'waiting-for-retry', outOfTries: null });
    }
    if (!this.losesAnswers) msg.respond(JSON.stringify({ job: this.view(job) }));
  }

  /** Ends a job; `heard: false` loses the event. */
  async end(job: number, status: number, options: { heard?: boolean; at?: Date } = {}) {
    const endedAt = (options.at ?? new Date()).toISOString();
    const view = this.change(job, { state: 'done', status, endedAt, outOfTries: null });
    if (options.heard !== false) await this.publish(view);
  }

  /** A job is out of tries since then; `null` for one that was suspended for too long. */
  async leaveIncomplete(
    job: number,
    failedAt: Date | null,
    options: { heard: boolean } = { heard: true },
  ): Promise<JobView> {
    const outOfTries = failedAt && { failedAt: failedAt.toISOString(), status: 82 };
    const view = this.change(job, { state: 'incomplete', outOfTries });
    if (options.heard) await this.publish(view, jobIncomplete);
    return view;
  }

  /** What a person does with a job; nobody hears of it. */
  move(job: number, state: JobView['state']): void {
    this.change(job, { state, outOfTries: null });
  }

  /** A person runs it again, as a job of its own. */
  async restart(job: number): Promise<number> {
    const again = this.requests.push({ ...this.requests[job - 1]!, origin: 'immediate' });
    await this.publish(this.change(again, { state: 'queued' }), jobQueued);
    return again;
  }

  /** Ends one stream of a job, which is a job of its own; or one that was run again, and has no parent. */
  async endStream(of: number, status: number, isAgain = false): Promise<void> {
    const ended = { state: 'done', status, endedAt: new Date().toISOString(), stream: 1 };
    const parent = isAgain ? null : of;
    const job = of + (isAgain ? 200_000 : 100_000);
    await this.publish({ ...this.view(of), ...ended, job, parent });
  }

  private change(job: number, change: Partial<JobView>): JobView {
    const before = this.view(job);
    const view = { ...before, ...change, revision: before.revision + 1 };
    this.views.set(job, view);
    return view;
  }

  private view(job: number): JobView {
    const known = this.views.get(job);
    if (known !== undefined) return known;
    const request = this.requests[job - 1]!;
    const now = new Date().toISOString();
    return jobView.parse({
      ...{ job, type: 'backup', status: null, statusText: '', message: '', kind: request.kind },
      ...{ state: 'active', revision: 1 },
      ...{ policy: request.policy, schedule: request.schedule, client: request.client },
      origin: request.origin,
      ...{ imageId: null, storage: null, mediaId: null, attempt: 1, retryAt: null },
      ...{ operation: '', createdAt: now, startedAt: now, endedAt: null },
      progress: {
        ...{ files: 0, bytes: 0, storedBytes: 0, currentPath: '' },
        ...{ waitedForEmpty: 0, waitedForFull: 0, fragments: 0, fragmentsTotal: 0 },
      },
    });
  }

  async publish(data: unknown, contract: Message = jobDone): Promise<void> {
    const id = uuidv7(new Date());
    const event = { id, source: 'jobs', subject: 'job', time: new Date(), data };
    await new Publisher(this.nats).publish({
      subject: subjectOf(contract, '1'),
      payload: envelope(contract, event),
      id,
      contentType: CLOUD_EVENT_CONTENT_TYPE,
    });
  }
}

/** Answers as a service that refuses. */
export function refuse(msg: Msg, status: number, message: string): void {
  refuseWith(msg, new PermanentError(status, message));
}

function refuseWith(msg: Msg, error: PermanentError | Unavailable): void {
  const head = headers();
  head.set('Nats-Service-Error-Code', String(error.status));
  msg.respond(JSON.stringify(toErrorBody(error)), { headers: head });
}
