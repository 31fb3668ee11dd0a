import { jobsReport, type TaskResult } from '#contracts/job.js';
import type { MediaTask } from '#contracts/task.js';
import { backoffMs } from '#kernel/backoff.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { DiskError } from '../../parts/disk.js';
import { isOutage } from '../network.js';
import { dataPort, type DataCall, type FragmentBytes, type Session } from './data-call.js';
import { Duplication } from './duplication.js';
import type { MediaContext } from './media-context.js';
import { WriteSession } from './write-session.js';

const REPORT_MS = 8_000;
const RETRY = { firstMs: 200, maxMs: 10_000, jitter: 0.5 };
const LAST_WORD_TRIES_MAX = 20;

type Copying = Extract<MediaTask, { type: 'write' | 'duplicate' }>;

/** The parts of jobs that a media server does: each is reported until the job manager knows its end. */
export class MediaSessions {
  private readonly sessions: Session[] = [];

  constructor(private readonly program: MediaContext) {
    program.link.serveData(dataPort(program.mediaId), (request) =>
      this.onData(request as DataCall),
    );
  }

  onTask(task: MediaTask): void {
    if (task.type === 'read' || task.type === 'verify' || task.type === 'synthesize') return;
    if (task.type === 'cancel') {
      for (const each of this.of(task.job, task.attempt)) each.isOver = true;
      return;
    }
    if (this.sessions.some(({ job, attempt }) => job === task.job && attempt >= task.attempt))
      return;
    this.run(task);
  }

  /** Ends what writes a copy. */
  end(copy: { readonly imageId: string; readonly copy: number }): void {
    for (const each of this.sessions) {
      if (each.imageId === copy.imageId && each.copy === copy.copy) each.isOver = true;
    }
  }

  private run(task: Copying): void {
    const { imageId, copy } = task.image;
    const session =
      task.type === 'write'
        ? new WriteSession(this.program, task)
        : { job: task.job, attempt: task.attempt, imageId, copy, isOver: false };
    this.sessions.push(session);
    const { life } = this.program;
    life.spawn(`job ${task.job}`, async () => {
      this.report(session, REPORT_MS);
      const result = await this.resultOf(() =>
        session instanceof WriteSession
          ? session.run()
          : new Duplication(this.program, session).run(
              task as Extract<Copying, { type: 'duplicate' }>,
            ),
      );
      session.isOver = true;
      await this.finish(session, result);
    });
  }

  private async resultOf(work: () => Promise<TaskResult>): Promise<TaskResult> {
    try {
      return await this.program.untilJournalBreaks(work());
    } catch (error) {
      if (error instanceof PermanentError) return { status: error.status, message: error.message };
      if (error instanceof DiskError) return { status: 84, message: error.message };
      if (isOutage(error))
        return { status: (error as Unavailable).status ?? 25, message: String(error) };
      throw error;
    }
  }

  /** A sign of life now and then; the answer may be that the attempt is over. */
  private report(session: Session, ms: number): void {
    const { life, link, mediaId } = this.program;
    life.spawn('report', async () => {
      while (!session.isOver) {
        try {
          const { job, attempt } = session;
          const said = { job, attempt, from: 'media' as const, instance: mediaId };
          if (!(await link.request(jobsReport, said)).goOn) session.isOver = true;
        } catch (error) {
          if (error instanceof PermanentError) session.isOver = true;
          else if (!isOutage(error)) throw error;
        }
        await life.sleep(ms);
      }
    });
  }

  private async finish({ job, attempt }: Session, result: TaskResult): Promise<void> {
    const { life, link, mediaId } = this.program;
    for (let tries = 1; tries <= LAST_WORD_TRIES_MAX; tries += 1) {
      try {
        await link.request(jobsReport, { job, attempt, from: 'media', instance: mediaId, result });
        return;
      } catch (error) {
        if (error instanceof PermanentError) return;
        if (!isOutage(error)) throw error;
        await life.sleep(backoffMs(tries, RETRY, 0.5));
      }
    }
  }

  /** What comes on the data port: a writer's fragments, or a reader that wants one. */
  private async onData(call: DataCall): Promise<unknown> {
    if (call.type === 'read') return this.read(call.fragmentId);
    const session = this.sessions.find(
      (each): each is WriteSession => each instanceof WriteSession && each.token === call.token,
    );
    if (!session || session.isOver) throw new Unavailable('there is no such session', 40);
    return session.take(call);
  }

  private async read(fragmentId: string): Promise<FragmentBytes> {
    const state = this.program.ledger?.find(fragmentId);
    if (!state || state.phase === 'INTENT') throw new PermanentError(85, 'it is not here');
    try {
      const data = await this.program.store.read(state.manifest, 'data');
      const index = await this.program.store.read(state.manifest, 'index');
      const { last } = state.manifest;
      return { data: data.toString('base64'), index: index.toString('base64'), last };
    } catch (error) {
      if (error instanceof DiskError) throw new PermanentError(85, error.message);
      throw error;
    }
  }

  private of(job: number, attempt: number): Session[] {
    return this.sessions.filter((each) => each.job === job && each.attempt <= attempt);
  }
}
