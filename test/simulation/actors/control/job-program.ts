import { jobDone, jobsReport } from '#contracts/job.js';
import { agentTaskMessage, mediaTaskMessage } from '#contracts/task.js';
import { backoffMs } from '#kernel/backoff.js';
import { NotFound } from '#kernel/errors.js';
import { decide } from '../../../../apps/jobs/src/domain/decide.js';
import { backupDraft, duplicateDraft } from '../../../../apps/jobs/src/domain/draft.js';
import type { Input } from '../../../../apps/jobs/src/domain/input.js';
import type { Backoff, Job } from '../../../../apps/jobs/src/domain/job.js';
import {
  awaited,
  heardFrom,
  isOneOf,
  participants,
  voiceOf,
} from '../../../../apps/jobs/src/domain/participants.js';
import { revive } from '../../../../apps/jobs/src/domain/saved-job.js';
import { cancelTasks, tasksOf, type Tasks } from '../../../../apps/jobs/src/domain/tasks.js';
import { viewOf } from '../../../../apps/jobs/src/domain/view.js';
import type { Life } from '../../kernel/host.js';
import type { Row, Transaction } from '../../parts/database.js';
import type { Cluster, PlannedJob } from '../cluster.js';
import { Link, type Work } from '../link.js';
import { isOutage } from '../network.js';
import { Relay } from '../relay.js';
import { JOB } from '../tables.js';
import { JobQuestions } from './job-questions.js';

const LOOK_MS = 20_000;
const SILENCE_MS_MAX = 22_000;
const RETRY = { firstMs: 500, maxMs: 10_000, jitter: 0.5 };
const INCOMPLETE_MS_MAX = 60_000;
const BACKOFF: Backoff = { firstMs: 2_000, factor: 2, maxMs: 30_000, drainsMax: 3 };
const TRIES = 30;

type Change = (job: Job) => ReturnType<typeof decide>;

/** One life of the job manager: each job as far as it can go, by the real decisions. */
export class JobProgram {
  private readonly link: Link;
  private readonly questions: JobQuestions;
  private readonly wakers = new Map<number, () => void>();
  private readonly since: number;

  constructor(
    private readonly life: Life,
    private readonly cluster: Cluster,
  ) {
    this.link = new Link(life, cluster);
    this.questions = new JobQuestions(life, this.link);
    this.since = life.world.now;
    new Relay(life, this.link).start();
    this.link.serve(jobsReport, (report) => this.onReport(report));
    for (const planned of cluster.jobs) {
      life.spawn(`job ${planned.job}`, () => this.drive(planned));
    }
  }

  private async drive(planned: PlannedJob): Promise<void> {
    const { life } = this;
    await life.sleep(Math.max(0, planned.beginsAt - life.world.now));
    const imageId = planned.type === 'duplicate' ? await this.whenMade(planned.of) : '';
    for (let failures = 0; ;) {
      try {
        const job = await this.saved(planned, imageId);
        if (job.step === 'done') await this.whileDone(job.job);
        const moved = job.step === 'done' || (await this.advance(job));
        failures = 0;
        if (!moved) await this.rest(job);
      } catch (error) {
        // The database may have gone back to before the job was asked for.
        if (!isOutage(error) && !(error instanceof NotFound)) throw error;
        failures += 1;
        await life.sleep(backoffMs(failures, RETRY, 0.5));
      }
    }
  }

  /** The database may go back to before its end; whoever looks at all open jobs finds it again. */
  private async whileDone(job: number): Promise<void> {
    const step = () => this.cluster.database.committed(JOB).get(String(job))?.['step'];
    while (step() === 'done') await this.life.sleep(LOOK_MS);
  }

  /** People duplicate what is there: the image of a backup, once that has ended. */
  private async whenMade(backup: number): Promise<string> {
    for (;;) {
      const image = this.cluster.images.findLast(({ job }) => job === backup);
      const isMade = image && (image.isAbandoned || image.fragmentsExpected !== null);
      if (isMade) return image.imageId;
      await this.life.sleep(LOOK_MS);
    }
  }

  /** True when the job went on to another step. */
  private async advance(job: Job): Promise<boolean> {
    const input = this.waitedOut(job) ?? this.missed(job) ?? (await this.questions.ask(job));
    if (!input) return false;
    const after = await this.apply(job.job, input);
    return after.step !== job.step || after.attempt !== job.attempt;
  }

  private rest(job: Job): Promise<void> {
    const waitMs = this.questions.waitMs(job) ?? LOOK_MS;
    return this.life.firstOf(Math.max(1, waitMs), (wake) => this.wakers.set(job.job, wake));
  }

  /** Nobody resumes a job here: one that is out of tries ends when it has waited long enough. */
  private waitedOut({ step, pause }: Job): Input | undefined {
    const isOver = pause && this.life.world.now - pause.since.getTime() > INCOMPLETE_MS_MAX;
    return isOver ? { type: 'waited-out', step } : undefined;
  }

  /** The first of those awaited that has been silent for too long, in this life. */
  private missed(job: Job): Input | undefined {
    if (job.step !== 'running') return undefined;
    const { now } = this.life.world;
    const begun = Math.max(job.runningSince?.getTime() ?? now, this.since);
    const missed = awaited(job).find((one) => {
      const voice = voiceOf(one);
      return !job.results[voice] && now - Math.max(job.heard[voice] ?? 0, begun) > SILENCE_MS_MAX;
    });
    if (!missed) return undefined;
    const heard = job.heard[voiceOf(missed)] ?? 0;
    return { type: 'silent', attempt: job.attempt, heard, ...missed };
  }

  private async onReport(
    report: Parameters<Parameters<typeof this.link.serve<typeof jobsReport>>[1]>[0],
  ) {
    const { attempt, from, instance, result } = report;
    const { now } = this.life.world;
    const works = (job: Job): boolean =>
      job.step === 'running' && job.attempt === attempt && isOneOf(participants(job), report);
    const job = await this.update(report.job, (saved) => {
      if (!works(saved)) return { job: saved, effects: [] };
      const heard = heardFrom(saved, report, { now });
      if (!result) return { job: heard, effects: [] };
      const input = { type: 'reported', attempt, from, instance, result } as const;
      return decide(heard, input, new Date(now));
    });
    if (result) this.wakers.get(report.job)?.();
    return { goOn: works(job) };
  }

  private apply(number: number, input: Input): Promise<Job> {
    return this.update(number, (job) => decide(job, input, new Date(this.life.world.now)));
  }

  private update(number: number, change: Change): Promise<Job> {
    return this.link.transaction(async (unit) => {
      const { before, after, effects } = await unit.run('decides', async (db) => {
        const row = await db.lock(JOB, String(number), 'update');
        if (!row) throw new NotFound('job', String(number), 805);
        const job = reviveRow(row, number);
        const decision = change(job);
        if (decision.job !== job) await db.update(JOB, String(number), rowOf(decision.job));
        return { before: job, after: decision.job, effects: decision.effects };
      });
      let made = 0;
      const newToken = (): string => `token ${number} ${after.attempt} ${(made += 1)} of the job`;
      for (const { type } of effects) {
        if (type === 'send-tasks') send(unit, tasksOf(after, newToken));
        if (type === 'cancel-tasks') send(unit, cancelTasks(after));
      }
      if (after.attempt > 1 && after.step === 'running' && before.step === 'beginning') {
        this.life.world.meet(`${after.type} goes on in another attempt`);
      }
      const isDone = before.step !== 'done' && after.step === 'done';
      if (isDone) this.life.world.meet(`${after.type} ends with ${after.outcome?.status ?? '?'}`);
      if (isDone) unit.send(jobDone, [String(number)], viewOf(after, new Date(0)));
      return after;
    });
  }

  /** Makes the job the first time that its number is seen. */
  private saved(planned: PlannedJob, imageId: string): Promise<Job> {
    return this.link.transaction(({ run }) =>
      run('looks at a job', async (db: Transaction) => {
        const key = String(planned.job);
        const row = await db.read(JOB, key);
        if (row) return reviveRow(row, planned.job);
        const draft = { ...draftOf(planned, imageId), job: planned.job };
        await db.insert(JOB, key, rowOf(draft));
        return draft;
      }),
    );
  }
}

function send(unit: Work, { media, agent }: Tasks): void {
  for (const { mediaId, task } of media) {
    unit.send(mediaTaskMessage, [mediaId, String(task.job)], task);
  }
  if (agent) unit.send(agentTaskMessage, [agent.client, String(agent.task.job)], agent.task);
}

function draftOf({ type, pool, unit }: PlannedJob, imageId: string): Job {
  if (type === 'duplicate') {
    return duplicateDraft({ imageId, toPool: pool, priority: 0, tries: TRIES }, BACKOFF);
  }
  return backupDraft(
    {
      ...{ policy: 'p1', schedule: 'user', client: 'c1', kind: 'full', selections: ['/'] },
      ...{ excludes: [], storage: unit, retention: '14d', priority: 0, tries: TRIES },
      ...{ crossMountPoints: false, compressionLevel: 1, origin: 'immediate' },
    },
    BACKOFF,
  );
}

function rowOf(job: Job): Row {
  return { step: job.step, document: JSON.stringify(job) };
}

function reviveRow(row: Row, number: number): Job {
  return revive(JSON.parse(String(row['document'])), number);
}
