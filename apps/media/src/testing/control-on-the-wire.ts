import { headers, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { deleteClaim, deleteReport } from '#contracts/catalog/expiry.js';
import { catalogFragmentSources, fragmentSuspect } from '#contracts/catalog/copy.js';
import type { Endpoint, RequestOf, ResponseOf } from '#contracts/contract.js';
import { catalogFragmentOffer, catalogFragmentStatus } from '#contracts/fragment.js';
import { jobsReport, type TaskResult } from '#contracts/job.js';
import { toErrorBody } from '#messaging/wire-error.js';
import { until } from '../../../../test/support/until.js';
import { MemoryCatalog } from './memory-catalog.js';
import { MemorySources } from './memory-sources.js';

/** Catalog and job manager as a media server sees them: answers on their subjects. */
export class ControlOnTheWire {
  readonly sources = new MemorySources();
  /** Log lines by job. */
  readonly lines = new Map<number, string[]>();
  private readonly subscriptions: Subscription[] = [];
  readonly results = new Map<number, TaskResult>();

  constructor(
    private readonly nats: NatsConnection,
    readonly catalog: MemoryCatalog,
  ) {
    this.serve(catalogFragmentStatus, ({ fragmentIds }) => catalog.fragmentStatus(fragmentIds));
    this.serve(catalogFragmentOffer, async ({ commits }) => ({
      receipts: await catalog.fragmentOffer(commits),
    }));
    this.serve(catalogFragmentSources, async ({ missingIn, afterNumber }) => ({
      fragments: await this.sources.missing({ copy: missingIn ?? 0 }, afterNumber),
    }));
    this.serve(fragmentSuspect, async ({ fragmentId, reason }) => {
      await this.sources.suspect(fragmentId, reason);
      return { state: 'ACTIVE' as const };
    });
    this.serve(deleteClaim, (removal) => catalog.claim(removal));
    this.serve(deleteReport, async ({ removals }) => ({
      refused: await catalog.report(removals),
    }));
    this.serve(jobsReport, async ({ job, lines, result }) => {
      this.lines.set(job, [...(this.lines.get(job) ?? []), ...lines.map(({ text }) => text)]);
      if (result) this.results.set(job, result);
      return { goOn: true };
    });
  }

  /** Answers no more. */
  stop(): void {
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  /** How a job's only task has ended. */
  resultOf(job: number): Promise<TaskResult> {
    return until(() => this.results.get(job), { what: `the result of job ${job}` });
  }

  private serve<E extends Endpoint>(
    endpoint: E,
    answer: (request: RequestOf<E>) => Promise<unknown>,
  ): void {
    const callback = (_: Error | null, msg: Msg): void => void this.answer(msg, endpoint, answer);
    this.subscriptions.push(this.nats.subscribe(endpoint.subject, { callback }));
  }

  private async answer<E extends Endpoint>(
    msg: Msg,
    endpoint: E,
    answer: (request: RequestOf<E>) => Promise<unknown>,
  ): Promise<void> {
    try {
      const request = endpoint.request.parse(msg.json()) as RequestOf<E>;
      const response = endpoint.response.parse(await answer(request)) as ResponseOf<E>;
      msg.respond(JSON.stringify(response));
    } catch (error) {
      const head = headers();
      head.set('Nats-Service-Error-Code', '1');
      msg.respond(JSON.stringify(toErrorBody(error)), { headers: head });
    }
  }
}
